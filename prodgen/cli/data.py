"""``prodgen data``: commands for the data sets that models are trained on, here and on a service."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.filesize import decimal

from prodgen.catalog.catalogue import Catalogue, digest
from prodgen.catalog.download import DATA_SETS
from prodgen.catalog.download import download as fetch
from prodgen.catalog.formats import kind, open_catalogue, splits
from prodgen.cli import photographs
from prodgen.cli.folders import check_folder, writing
from prodgen.cli.gateway import connect, push_folder
from prodgen.cli.options import Json
from prodgen.cli.output import print_json, print_table, remark, remark_reading, report, say, words
from prodgen.cli.progress import ProgressBars
from prodgen.datasets.summary import count_values
from prodgen.files import sha256

app = typer.Typer(help="Download, inspect, prepare, push and list data to train on.", no_args_is_help=True)
app.command()(photographs.inspect)
app.command()(photographs.clean)
app.command()(photographs.prepare)


@app.command()
def download(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(DATA_SETS)}.")],
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    json: Json = False,
) -> None:
    """Download a public data set; complete files are not fetched again."""
    check_folder(out)
    with writing(out, make=False), ProgressBars(json, in_bytes=True) as bars:
        files = fetch(name, out, bars.report)
    found = {"name": name, "out": str(out), "files": [file.name for file in files]}
    report(json, found, f"{name} is whole in {out}")


@app.command()
def show(
    data: Annotated[Path, typer.Argument(help="Folder of IDX files, CIFAR-10, pictures or cut-outs.")],
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "train",
    size: Annotated[int | None, typer.Option(help="Side in pixels (default: the data's own, or 64).")] = None,
    channels: Annotated[int | None, typer.Option(help="1, 3 or 4 (default: the data's own, or 3).")] = None,
    json: Json = False,
) -> None:
    """Read a split as training would, and show what it holds."""
    with ProgressBars(json) as bars:
        progress = partial(bars.report, "Reading")
        catalogue = open_catalogue(data, split, size=size, channels=channels, progress=progress)
    remark_reading(data)
    found: dict[str, Any] = {"data": str(data), "kind": kind(data), "splits": splits(data), "split": split}
    found |= _describe(catalogue)
    if json:
        print_json(found)
        return
    for name, value in found.items():
        if name != "attributes":
            say(f"{name:12} {' '.join(map(str, value)) if isinstance(value, list) else value}")
    for name, attribute in found["attributes"].items():
        say(f"{name:12} {words(attribute['values'])}; unknown {attribute['unknown']}")


def _describe(catalogue: Catalogue) -> dict[str, Any]:
    _, height, width, channels = catalogue.images.shape
    return {
        "images": len(catalogue),
        "size": [width, height],
        "channels": channels,
        "digest": digest(catalogue),
        "attributes": {name: counts.model_dump() for name, counts in count_values(catalogue).items()},
    }


@app.command()
def push(
    data: Annotated[Path, typer.Argument(help="Folder of data, as `prodgen data show` reads it.")],
    name: Annotated[str | None, typer.Option(help="Name of the data set (default: the folder's).")] = None,
    json: Json = False,
) -> None:
    """Push a folder to the service; present files are not sent again.

    Needs PRODGEN_URL, and a PRODGEN_API_KEY with the scope train.
    """
    with connect() as gateway:
        dataset, sent = push_folder(gateway, data, json, name, trainable=False)
    if json:
        print_json({**dataset, "sent": sent})
        return
    counts, size = _images(dataset["summary"]["images"]), dataset["bytes"]
    rest = "" if sent >= size else ", the rest was there" if sent else ", all of it was there"
    if flaw := dataset["summary"].get("flaw"):
        remark(f"it can be prepared, but not trained on: {flaw}")
    remark(f"{dataset['id']}: {counts} images, {decimal(size)}, {decimal(sent)} sent{rest}")


@app.command("list")
def list_datasets(json: Json = False) -> None:
    """List the data sets of the service, newest first."""
    with connect() as gateway:
        found = list(gateway.datasets())
    if json:
        print_json(found)
    else:
        print_table(map(_row, found), "id", "kind", "images", "attributes", "size", fold=("attributes",))


def _row(dataset: dict[str, Any]) -> dict[str, Any]:
    summary = dataset["summary"]
    attributes, images = [*summary["attributes"], *summary["colours"]], _images(summary["images"])
    size, kind = decimal(dataset["bytes"]), summary["kind"]
    return {"id": dataset["id"], "kind": kind, "images": images, "attributes": attributes, "size": size}


@app.command()
def remove(
    ref: Annotated[str, typer.Argument(metavar="REF", help="NAME@VERSION, or NAME for all its versions.")],
    json: Json = False,
) -> None:
    """Remove a data set from the service for good.

    Files that other data sets share stay. Refused while a run that has not ended reads the data set.
    """
    with connect() as gateway:
        gone = gateway.delete_dataset(ref)
    report(json, gone, f"removed {', '.join(gone['removed'])}: {decimal(gone['bytes'])} freed")


@app.command()
def remove_uploads(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Uploaded files, or their sha256 if they are gone.")
    ],
    json: Json = False,
) -> None:
    """Remove uploaded photographs and order files for good.

    Refused while a data set, or an order that has not ended, needs the file.
    """
    with connect() as gateway:
        for file in files:
            path = Path(file)
            digest = sha256(path) if path.is_file() else file
            gone = gateway.delete_upload(digest)
            report(json, gone, f"removed {file}: {decimal(gone['bytes'])} freed")


def _images(counts: dict[str, int]) -> str:
    return " + ".join(f"{count:,}" for count in counts.values())
