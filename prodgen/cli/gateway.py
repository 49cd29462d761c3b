"""Functions for commands that call a gateway."""

import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from prodgen.cli.output import remark, remark_reading, report, words
from prodgen.cli.progress import ProgressBars
from prodgen.client import Client
from prodgen.client.download import REVIEW
from prodgen.errors import NotFound, ProdgenError, Unavailable
from prodgen.spec.names import check_name

if TYPE_CHECKING:
    from prodgen.datasets.push import Pushed


def connect() -> Client:
    """Return a client of the gateway at PRODGEN_URL (default: 127.0.0.1:8000), with the key PRODGEN_API_KEY.

    Raises ProdgenError if the key is not set, or if the key or the URL is malformed.
    """
    key = os.environ.get("PRODGEN_API_KEY")
    if not key:
        raise ProdgenError("PRODGEN_API_KEY is not set; `prodgen up` writes a key to ready.json")
    if not key.isascii():
        raise ProdgenError("PRODGEN_API_KEY has a letter that no key has; copy it again")
    url = os.environ.get("PRODGEN_URL", "http://127.0.0.1:8000")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ProdgenError(f"PRODGEN_URL must be http://HOST:PORT or https://HOST, not {url!r}")
    return Client(url, key)


def wait_for_job(gateway: Client, job: dict[str, Any], quiet: bool) -> dict[str, Any]:
    """Wait until the job has ended, and return the ended job. Show a progress bar unless ``quiet``."""
    with ProgressBars(quiet, estimate=False) as bars:
        for state in chain([job], gateway.watch(job["id"])):
            left = time_left(state)
            note = f"; prodgen jobs resume {job['id']}" if state["state"] == "paused" else ""
            bars.report("Making images", state["done"], job["total"], left and f"time left: {left}{note}")
    return gateway.job(job["id"])


def time_left(job: dict[str, Any]) -> str:
    """Return the time left, as text for people. ``job``: a job, an event of a job, or the progress of a run.

    If the time is not known, returns the reason, or an empty text if there is no reason.
    """
    if (seconds := job.get("seconds_left")) is not None:
        return str(timedelta(seconds=round(seconds)))
    return f"not known: {reason}" if (reason := job.get("reason")) else ""


def download_job(
    gateway: Client,
    job: dict[str, Any],
    folder: Path,
    quiet: bool,
    by_sku: bool = False,
    newest: bool = False,
) -> int:
    """Download the job's finished images and their manifests to ``folder``; return the number of images."""
    packaging = job["request"]["output"]["packaging"]
    if packaging not in ("sheet", "webdataset"):
        images = gateway.download(job["id"], folder, by_sku, newest)
    elif by_sku:
        raise ProdgenError("sprite sheets and shards have no folders; leave --by-sku out", param="by_sku")
    elif newest:
        raise ProdgenError(
            "sprite sheets and shards have the first images; leave --newest out", param="newest"
        )
    elif packaging == "sheet":
        images = gateway.download_sheets(job["id"], folder)
    else:
        return show_images(gateway.download_shards(job["id"], folder), job["done"], quiet)
    count, review = 0, 0
    with ProgressBars(quiet) as bars:
        for count, image in enumerate(images, 1):
            review += bool(image.get("review"))
            bars.report("Downloading", count, job["done"])
    if review and not quiet:
        remark(f"{review} pictures are not trusted: look at {folder / REVIEW}; manifest.csv has the reasons")
    return count


def show_images(images: Iterable[int], total: int, quiet: bool) -> int:
    """Show the progress of a download while iterating ``images``, which yields the number of images so far.

    Returns the last number.
    """
    count = 0
    with ProgressBars(quiet) as bars:
        for count in images:
            bars.report("Downloading", count, total)
    return count


def push_folder(
    gateway: Client, folder: Path, quiet: bool, name: str | None = None, *, trainable: bool = True
) -> "Pushed":
    """Check the folder as training does, then push its files to the service as a new data set version.

    ``name`` is the name of the data set (default: the folder's name). Raises ProdgenError, before anything is
    sent, if the data fits neither training nor preparation or, with ``trainable``, needs preparation first.
    """
    from prodgen.datasets.push import push
    from prodgen.datasets.summary import summarise

    name = check_name(folder_name(folder) if name is None else name)
    with ProgressBars(quiet) as bars:
        summary = summarise(folder, bars.report)
    remark_reading(folder)
    if trainable and summary.flaw:
        raise ProdgenError(summary.flaw, param="data")
    with ProgressBars(quiet, in_bytes=True) as bars:
        return push(gateway, folder, name, summary, bars.report)


def queue_run(
    send: Callable[[Client, dict[str, Any], str | None], dict[str, Any]],
    spec: dict[str, Any],
    data: str,
    key: str | None,
    json: bool,
    *,
    trainable: bool = True,
) -> None:
    """Queue a run on the service and print the run. If ``data`` is a folder, push the folder first.

    ``send`` is the method of `Client` that queues the run. With ``trainable``, raises ProdgenError for a
    folder of photographs that need a preparation before training.
    """
    with connect() as gateway:
        if model := spec.get("model") or spec.get("from"):
            gateway.model(model)  # a wrong name is refused before anything is pushed
        if (folder := Path(data)).exists():
            ref = push_folder(gateway, folder, json, trainable=trainable).dataset["id"]
        else:
            ref = _find(gateway, data)
        run = send(gateway, {**spec, "data": ref}, key)
    waits = f" ({run['reason']})" if run.get("reason") else ""
    report(json, run, f"run {run['id']} is queued: {run['title']}{waits}; prodgen training watch {run['id']}")


def _find(gateway: Client, ref: str) -> str:
    try:
        return str(gateway.dataset(ref)["id"])
    except Unavailable:
        raise
    except ProdgenError as error:
        raise NotFound(f"{ref} is no folder here, nor a data set there: {error}") from None


def report_deletion(json: bool, deletion: dict[str, Any], noun: str, restore: str) -> None:
    """Print that a job or run is deleted, and until when the command ``restore`` can restore it.

    ``noun``: ``job`` or ``run``. ``json``: print ``deletion`` as JSON instead.
    """
    id, until = deletion["id"], words(deletion["restorable_until"])
    rest = f"; {restore} {id} works until {until}" if until else " for good"
    report(json, deletion, f"{noun} {id} is deleted{rest}")


def folder_name(folder: Path) -> str:
    """Return a valid data set name, made from the folder's name: no accents, "-" for forbidden characters.

    Raises ProdgenError if no allowed character is left.
    """
    plain = unicodedata.normalize("NFKD", folder.resolve().name).encode("ascii", "ignore").decode()
    words = re.findall(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*", plain)
    name = "-".join(words).lstrip("_")[:128]
    if not name:
        raise ProdgenError(f"{folder} has no name that a data set can have; choose one with --name")
    return name
