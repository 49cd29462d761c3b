"""``prodgen data push``, ``list`` and ``remove``: commands for the data sets that a service stores."""

import re
import unicodedata
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.filesize import decimal
from rich.progress import DownloadColumn

from prodgen.cli.gateway import connect
from prodgen.cli.options import Json
from prodgen.cli.output import print_json, print_table, remark, report
from prodgen.cli.progress import ProgressBars
from prodgen.client import Client
from prodgen.datasets.push import Pushed
from prodgen.datasets.push import push as send
from prodgen.datasets.summary import summarise
from prodgen.errors import ProdgenError
from prodgen.spec.names import check_name


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


def push_folder(
    gateway: Client, folder: Path, quiet: bool, name: str | None = None, *, trainable: bool = True
) -> Pushed:
    """Read the folder as training would, then push its files to the service as a new data set version.

    ``name`` is the name of the data set (default: the folder's). Before anything is sent, raises ProdgenError
    for data that can be neither trained on nor prepared and, if ``trainable``, for data to prepare first.
    """
    name = check_name(folder_name(folder) if name is None else name)
    with ProgressBars(quiet) as bars:
        summary = summarise(folder, bars.report)
    if trainable and summary.flaw:
        raise ProdgenError(summary.flaw, param="data")
    with ProgressBars(quiet, DownloadColumn()) as bars:
        return send(gateway, folder, name, summary, bars.report)


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


def folder_name(folder: Path) -> str:
    """Make a valid data set name from the folder's name: drop accents, put "-" for forbidden characters.

    Raises ProdgenError if nothing is left of the name.
    """
    plain = unicodedata.normalize("NFKD", folder.resolve().name).encode("ascii", "ignore").decode()
    words = re.findall(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*", plain)
    name = "-".join(words).lstrip("_")[:128]
    if not name:
        raise ProdgenError(f"{folder} has no name that a data set can have; choose one with --name")
    return name


def _images(counts: dict[str, int]) -> str:
    return " + ".join(f"{count:,}" for count in counts.values())
