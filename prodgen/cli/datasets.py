"""``prodgen data push``, ``list`` and ``remove``: the data sets of the service."""

import re
import unicodedata
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.progress import DownloadColumn
from rich.table import Column, Table

from prodgen.cli.bars import Bars
from prodgen.cli.options import Json, print_json
from prodgen.cli.remote import client, console, results
from prodgen.client import Client
from prodgen.datasets.describe import summarise
from prodgen.datasets.push import Pushed
from prodgen.datasets.push import push as send
from prodgen.errors import ProdgenError
from prodgen.spec.names import check_name


def push(
    data: Annotated[Path, typer.Argument(help="A folder that can be trained on: prodgen data show says.")],
    name: Annotated[str | None, typer.Option(help="The folder's own, if left out.")] = None,
    json: Json = False,
) -> None:
    """Bring a folder to the service, for runs there; what it has already is not sent again.

    Reads PRODGEN_URL and PRODGEN_API_KEY, a key with the scope train.
    """
    name = check_name(name_of(data) if name is None else name)
    with client() as gateway:
        dataset, sent = bring(gateway, data, name, json, trains=False)
    if json:
        print_json({**dataset, "sent": sent})
        return
    counts, size = _images(dataset["summary"]["images"]), dataset["bytes"]
    rest = "" if sent >= size else ", the rest was there" if sent else ", all of it was there"
    if flaw := dataset["summary"].get("flaw"):
        console.print(f"it can be prepared, but not trained on: {flaw}", markup=False, soft_wrap=True)
    said = f"{dataset['id']}: {counts} images, {decimal(size)}, {decimal(sent)} sent{rest}"
    console.print(said, markup=False, soft_wrap=True)


def bring(gateway: Client, folder: Path, name: str, quiet: bool, *, trains: bool) -> Pushed:
    """Open the folder as training would, then make a version ``name`` of it.

    Raises ProdgenError, nothing sent, for what training (``trains``) or preparing would refuse.
    """
    with Bars(quiet) as bars:
        summary = summarise(folder, bars.report)
    if trains and summary.flaw:
        raise ProdgenError(summary.flaw, param="data")
    with Bars(quiet, DownloadColumn()) as bars:
        return send(gateway, folder, name, summary, bars.report)


def list_datasets(json: Json = False) -> None:
    """The data sets that were pushed, the latest first."""
    with client() as gateway:
        found = list(gateway.datasets())
    if json:
        print_json(found)
        return
    table = Table(Column("data set", no_wrap=True), "kind", "images", "attributes", "bytes")
    for dataset in found:
        summary = dataset["summary"]
        attributes = ", ".join([*summary["attributes"], *summary["colours"]])
        table.add_row(
            dataset["id"], summary["kind"], _images(summary["images"]), attributes, decimal(dataset["bytes"])
        )
    results.print(table)


def remove(
    ref: Annotated[str, typer.Argument(metavar="REF", help="NAME@VERSION, or NAME for all its versions.")],
    json: Json = False,
) -> None:
    """Remove data from the service for good; what other data sets share with it stays.

    Refused while a run that has not ended reads it.
    """
    with client() as gateway:
        gone = gateway.delete_dataset(ref)
    if json:
        print_json(gone)
        return
    said = f"removed {', '.join(gone['removed'])}: {decimal(gone['bytes'])} freed"
    console.print(said, markup=False, soft_wrap=True)


def name_of(folder: Path) -> str:
    """The folder's name without its accents, and with "-" for what else no name may have."""
    plain = unicodedata.normalize("NFKD", folder.resolve().name).encode("ascii", "ignore").decode()
    words = re.findall(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*", plain)
    name = "-".join(words).lstrip("_")[:128]
    if not name:
        raise ProdgenError(f"{folder} has no name that a data set can have; choose one with --name")
    return name


def _images(counts: dict[str, int]) -> str:
    return " + ".join(f"{count:,}" for count in counts.values())
