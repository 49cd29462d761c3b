"""``prodgen jobs``: commands for the orders of a service and for their images."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from prodgen.cli.folders import writing
from prodgen.cli.gateway import (
    connect,
    download_job,
    report_deletion,
    show_images,
    time_left,
    wait_for_job,
)
from prodgen.cli.options import Json
from prodgen.cli.output import print_json, print_record, print_table, remark, report, words
from prodgen.cli.progress import ProgressBars
from prodgen.client import TERMINAL, Client
from prodgen.errors import ProdgenError

app = typer.Typer(help="List, show, control, download and delete orders.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="Id of the job.")]
_THREADS = 8


@app.command("list")
def list_jobs(
    limit: Annotated[int, typer.Option(min=1, help="The most jobs that are listed.")] = 20,
    state: Annotated[
        list[str] | None, typer.Option(help="List only jobs in this state, such as running; repeatable.")
    ] = None,
    trash: Annotated[
        bool, typer.Option("--trash", help="List the deleted jobs that can be restored.")
    ] = False,
    json: Json = False,
) -> None:
    """List the newest jobs, or those in the trash."""
    if trash and state:
        raise ProdgenError("the trash has no states; leave --state out", param="state")
    with connect() as gateway:
        if trash:
            _print_trash(list(islice(gateway.trash(), limit)), json)
            return
        found = list(islice(gateway.jobs(state or ()), limit))
        if json:
            print_json(found)
            return
        with ThreadPoolExecutor(_THREADS) as pool:
            rows = list(pool.map(lambda job: _row(gateway, job), found))
    fields = ("id", "state", "images", "time_left", "priority", "created", "model", "SKU")
    print_table(rows, *fields, fold=("time_left", "model", "SKU"))


def _print_trash(found: list[dict[str, Any]], json: bool) -> None:
    if json:
        print_json(found)
        return
    rows = [one | {"images": one["total"], "model": one["model"].partition("@")[0]} for one in found]
    print_table(
        rows, "id", "images", "deleted", "restorable_until", "model", "title", fold=("model", "title")
    )
    if found:
        remark("prodgen jobs restore ID brings a job back")


def _row(gateway: Client, job: dict[str, Any]) -> dict[str, Any]:
    """Return a job's table row, with the time left, the model, and the first image's SKU (None: unknown)."""
    day, time = words(job["created"]).split()
    created = time if day == f"{datetime.now(UTC):%F}" else day[5:]
    images = f"{job['done']}/{job['total']}"
    row = {**job, "images": images, "created": created, "time_left": None, "model": None, "SKU": None}
    with suppress(ProdgenError):
        details = gateway.job(job["id"])
        row["model"] = details["model"].partition("@")[0]
        row["time_left"] = None if details["seconds_left"] is None else time_left(details)
        if job["done"]:
            row["SKU"] = next(gateway.images(job["id"], page=1), {}).get("sku")
    return row


@app.command()
def show(job: Id, json: Json = False) -> None:
    """Show a job: its state and what was ordered."""
    with connect() as gateway:
        _print(gateway.job(job), json)


@app.command()
def watch(job: Id, json: Json = False) -> None:
    """Wait for a job to end; exit with 1 if images are missing."""
    with connect() as gateway:
        ended = wait_for_job(gateway, gateway.job(job), quiet=json)
    _print(ended, json)
    if ended["state"] != "succeeded":
        raise typer.Exit(1)


@app.command()
def cancel(job: Id, json: Json = False) -> None:
    """Stop a job for good; finished images stay."""
    with connect() as gateway:
        before = gateway.job(job)["state"]
        _print(gateway.cancel(job), json)
    if before in TERMINAL:
        remark(f"nothing was cancelled: the job had ended before, as {before}")


@app.command()
def pause(job: Id, json: Json = False) -> None:
    """Stop a job until `resume`; images in the making are delivered."""
    _change(job, Client.pause, json)


@app.command()
def resume(job: Id, json: Json = False) -> None:
    """Continue a paused job."""
    _change(job, Client.resume, json)


@app.command()
def failures(
    job: Id,
    limit: Annotated[int, typer.Option(min=1, help="The most images that are listed.")] = 100,
    json: Json = False,
) -> None:
    """List the images that could not be made, and why."""
    with connect() as gateway:
        failed = gateway.job(job)["failed"]
        found = list(islice(gateway.failures(job), limit))
    if json:
        print_json(found)
        return
    if not found:
        remark(f"no image of job {job} has failed")
        return
    rows = [one | {"SKU": one["sku"]} for one in found]
    print_table(rows, "index", "SKU", "attributes", "cell", "attempts", "error", fold=("attributes", "error"))
    if failed > len(found):
        remark(f"{failed - len(found):,} more images have failed; --limit {failed} lists all")


@app.command()
def retry(job: Id, json: Json = False) -> None:
    """Make the failed images of an ended job again; all others stay."""
    with connect() as gateway:
        _print(gateway.retry(job), json)


@app.command()
def keep(
    job: Id,
    time: Annotated[str, typer.Argument(help="Time after its end, such as 30d or 12h; or forever.")],
    json: Json = False,
) -> None:
    """Set how long a job is kept after its end."""
    with connect() as gateway:
        _print(gateway.keep(job, time), json)


@app.command()
def reject(
    job: Id,
    images: Annotated[list[int], typer.Argument(metavar="INDEX...", min=0, help="The images, by index.")],
    json: Json = False,
) -> None:
    """Make finished images again, with the next attempt, by a new job."""
    with connect() as gateway:
        _print(gateway.reject(job, images), json)


@app.command()
def again(
    job: Id,
    model: Annotated[str, typer.Option(help="The other version: NAME@ALIAS or NAME@VERSION.")],
    json: Json = False,
) -> None:
    """Order the products of a job again, by another version of the model."""
    with connect() as gateway:
        _print(gateway.order_again(job, model), json)


@app.command()
def diff(
    job: Id,
    other: Annotated[str, typer.Argument(help="Id of the job that is the same order by another version.")],
    new: Annotated[
        list[int] | None, typer.Option(help="Choose OTHER's image at this index; repeatable.")
    ] = None,
    old: Annotated[list[int] | None, typer.Option(help="Keep JOB's image at this index; repeatable.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write a table of the chosen images to this file.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most pairs that are listed.")] = 50,
    json: Json = False,
) -> None:
    """Show how much another version changes each image, and choose."""
    with connect() as gateway:
        for images, choice in ((new, "new"), (old, "old")):
            if images:
                gateway.choose(job, other, images, choice)
        if csv:
            gateway.download_choices(job, other, csv)
            report(json, {"csv": str(csv)}, f"the chosen images are in {csv}")
            return
        found = sorted(gateway.diff(job, other), key=lambda pair: -pair["change"])
    if json:
        print_json(found[:limit])
        return
    rows = [pair | {"SKU": pair["sku"], "attributes": pair["new"]["attributes"]} for pair in found[:limit]]
    print_table(rows, "index", "SKU", "change", "colour", "choice", "attributes", fold=("SKU", "attributes"))


@app.command()
def priority(
    job: Id,
    priority: Annotated[str, typer.Argument(help="bulk, or interactive (at most 64 images).")],
    json: Json = False,
) -> None:
    """Move a job to the other queue."""
    _change(job, lambda gateway, job: gateway.set_priority(job, priority), json)


@app.command()
def delete(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help="Ids of ended jobs.")],
    image: Annotated[
        list[int] | None,
        typer.Option(min=0, help="Delete only this image of the job, by index, for good; repeatable."),
    ] = None,
    for_good: Annotated[
        bool, typer.Option("--for-good", help="Skip the trash: delete the images within minutes.")
    ] = False,
    json: Json = False,
) -> None:
    """Delete ended jobs with their images; `restore` works for seven days."""
    if image and (for_good or len(jobs) > 1):
        raise ProdgenError("--image deletes images of one job, always for good", param="image")
    with connect() as gateway:
        if image:
            deleted = [gateway.delete_image(jobs[0], index) for index in image]
            named = ("image " if len(image) == 1 else "images ") + ", ".join(map(str, image))
            report(json, deleted, f"job {jobs[0]} no longer has {named}")
            return
        for job in jobs:
            report_deletion(json, gateway.delete_job(job, for_good), "job", "prodgen jobs restore")


@app.command()
def restore(job: Id, json: Json = False) -> None:
    """Restore a job that was deleted in the last seven days."""
    with connect() as gateway:
        _print(gateway.restore_job(job), json)


@app.command()
def download(
    job: Id,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the images, manifest.jsonl and manifest.csv.")
    ] = None,
    by_sku: Annotated[bool, typer.Option("--by-sku", help="Make a folder for each SKU.")] = False,
    newest: Annotated[
        bool, typer.Option("--newest", help="In place of each rejected image, the one that replaces it.")
    ] = False,
    archive: Annotated[
        Path | None, typer.Option(help="Instead: a tar of an ended job. Continues a download that broke off.")
    ] = None,
    parquet: Annotated[
        Path | None,
        typer.Option(help="Instead: a folder for Parquet files of an ended job, with images and attributes."),
    ] = None,
    json: Json = False,
) -> None:
    """Download a job's images and manifests, to a folder or as one tar."""
    if [out, archive, parquet].count(None) != 2:
        raise ProdgenError("name a folder (--out or --parquet) or a tar (--archive)", param="out")
    if by_sku and not out:
        raise ProdgenError("only --out makes folders; leave --by-sku out", param="by_sku")
    with connect() as gateway:
        found = gateway.job(job)
        if archive:
            size = _download_archive(gateway, job, archive, json, newest)
            report(json, {"job": job, "bytes": size, "archive": str(archive)}, f"{size:,} bytes in {archive}")
        elif parquet:
            with writing(parquet):
                count = show_images(gateway.download_parquet(job, parquet, newest), found["done"], json)
            report(json, {"job": job, "images": count, "out": str(parquet)}, f"{count} images in {parquet}")
        elif out:
            with writing(out):
                count = download_job(gateway, found, out, json, by_sku, newest)
            report(json, {"job": job, "images": count, "out": str(out)}, f"{count} images in {out}")


@app.command()
def proof(
    job: Id,
    index: Annotated[int, typer.Argument(min=0, help="Number of the image in the job, from 0.")],
) -> None:
    """Print the proof (JSON) that an image is one of an ended job's."""
    with connect() as gateway:
        print_json(gateway.proof(job, index))


def _download_archive(gateway: Client, job: str, path: Path, quiet: bool, newest: bool) -> int:
    """Download the archive of a job to ``path`` and show the progress. Returns the size in bytes."""
    if path.exists():
        raise ProdgenError(f"{path} exists already; choose another name", param="archive")
    done = 0
    with writing(path.parent), ProgressBars(quiet, in_bytes=True) as bars:
        for done, size in gateway.download_archive(job, path, newest):
            bars.report("Downloading", done, size)
    return done


@app.command()
def recover(json: Json = False) -> None:
    """Rebuild a lost ledger from the store of the settings (PRODGEN_*)."""
    from prodgen.cli.access import open_store
    from prodgen.connections import connect_ledger
    from prodgen.recovery import ensure
    from prodgen.settings import settings

    store, where = open_store()
    rebuilt = ensure(store, connect_ledger(settings()))
    did = "rebuilt the ledger from" if rebuilt else "the ledger is complete; nothing was rebuilt from"
    report(json, {"rebuilt": rebuilt}, f"{did} {where}")


@app.command()
def recount(json: Json = False) -> None:
    """Record the usage of ended orders of an older version of prodgen."""
    from prodgen.cli.access import open_store
    from prodgen.jobs.usage import record_all_usage

    store, where = open_store()
    count = record_all_usage(store)
    report(json, {"orders": count}, f"recorded the usage of {count} ended orders in {where}")


def _change(job: str, change: Callable[[Client, str], dict[str, Any]], json: bool) -> None:
    """Change a job by ``change`` and print it. If the job had ended already, print that nothing changed."""
    with connect() as gateway:
        changed = change(gateway, job)
        _print(changed, json)
    if changed["state"] in TERMINAL:
        remark(f"nothing was changed: the job had ended before, as {changed['state']}")


def _print(job: dict[str, Any], json: bool) -> None:
    if json:
        print_json(job)
        return
    defaults = {"seed_from": "job", "truncation": 1.0}
    order = {k: v for k, v in job["request"].items() if k not in job and v != defaults.get(k)}
    augment = order["finish"].get("augment") or {}
    order["finish"] |= {"augment": {k: v for k, v in augment.items() if v}}
    hidden = ["object", "links", "request", "done", "total", "failed", "deleted", "seconds_left", "reason"]
    if not job["retries"]:
        hidden.append("retries")
    images = f"{job['done']} of {job['total']} made" + (f", {job['failed']} failed" if job["failed"] else "")
    images += f", {job['deleted']} deleted" if job.get("deleted") else ""
    shown = {name: value for name, value in job.items() if name not in hidden}
    first = {"id": job["id"], "state": job["state"], "images": images, "time left": time_left(job)}
    print_record(first | shown | order)
