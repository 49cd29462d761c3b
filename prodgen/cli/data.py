"""``prodgen data``: what can be trained on."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import DownloadColumn

from prodgen.catalog.catalogue import Catalogue, digest
from prodgen.catalog.download import DATA_SETS
from prodgen.catalog.download import download as fetch
from prodgen.catalog.formats import kind, open_catalogue, splits
from prodgen.cli import datasets, photographs
from prodgen.cli.bars import Bars
from prodgen.cli.generate import make_folder
from prodgen.cli.options import Json, print_json
from prodgen.cli.remote import console, results
from prodgen.datasets.describe import count_values

app = typer.Typer(
    help="Fetch public data sets, look at data, prepare photographs, and push data to the service.",
    no_args_is_help=True,
)
app.command()(photographs.inspect)
app.command()(photographs.clean)
app.command()(photographs.prepare)
app.command()(datasets.push)
app.command("list")(datasets.list_datasets)
app.command()(datasets.remove)


@app.command()
def download(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(DATA_SETS)}.")],
    out: Annotated[Path, typer.Option(help="The folder for its files.")],
    json: Json = False,
) -> None:
    """Fetch a public data set and check it; what is there already is not fetched again."""
    make_folder(out)
    with Bars(json, DownloadColumn()) as bars:
        files = fetch(name, out, bars.report)
    if json:
        print_json({"name": name, "out": str(out), "files": [file.name for file in files]})
    else:
        console.print(f"{name} is whole in {out}", markup=False)


@app.command()
def show(
    data: Annotated[
        Path, typer.Argument(help="A folder of IDX files, CIFAR-10 or pictures, or a prepared one.")
    ],
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "train",
    size: Annotated[
        int | None, typer.Option(help="Side in pixels; the data's own, or 64, if left out.")
    ] = None,
    channels: Annotated[
        int | None, typer.Option(help="1, 3 or 4; the data's own, or 3, if left out.")
    ] = None,
    json: Json = False,
) -> None:
    """Read a split as training would, and say what was found."""
    with Bars(json) as bars:
        report = partial(bars.report, "Reading")
        catalogue = open_catalogue(data, split, size=size, channels=channels, progress=report)
    found: dict[str, Any] = {"data": str(data), "kind": kind(data), "splits": splits(data), "split": split}
    found |= _described(catalogue)
    if json:
        print_json(found)
        return
    for name, value in found.items():
        if name != "attributes":
            results.print(f"{name:12} {_words(value)}", markup=False)
    for name, attribute in found["attributes"].items():
        results.print(
            f"{name:12} {_words(attribute['values'])}; unknown {attribute['unknown']}", markup=False
        )


def _described(catalogue: Catalogue) -> dict[str, Any]:
    _, height, width, channels = catalogue.images.shape
    return {
        "images": len(catalogue),
        "size": [width, height],
        "channels": channels,
        "digest": digest(catalogue),
        "attributes": {name: counts.model_dump() for name, counts in count_values(catalogue).items()},
    }


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
