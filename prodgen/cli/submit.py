"""``prodgen submit``: send an order to a gateway."""

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from prodgen.cli.folders import check_folder, writing
from prodgen.cli.gateway import connect, download_job, wait_for_job
from prodgen.cli.options import (
    Aspect,
    Attr,
    Background,
    CopySpace,
    ExactColour,
    Json,
    LightFrom,
    Pose,
    Prompt,
    Retouch,
    Seed,
    Sheet,
    Size,
    Truncation,
    Upscale,
    parse_attributes,
)
from prodgen.cli.output import remark, report
from prodgen.cli.progress import ProgressBars
from prodgen.client import Client
from prodgen.client.photographs import name_pictures
from prodgen.errors import Conflict, NotFound, ProdgenError
from prodgen.spec.attributes import MATERIAL
from prodgen.spec.photograph import end_fault, picture_fault, swatch_fault
from prodgen.spec.spelling import split_pairs


def submit(
    order: Annotated[
        Path | None,
        typer.Argument(help="CSV or JSONL with columns sku, count, photo, matte and the model's attributes."),
    ] = None,
    model: Annotated[str, typer.Option(help="NAME, NAME@ALIAS or NAME@VERSION.")] = "fashion-mnist",
    count: Annotated[
        int | None,
        typer.Option(help="Images of each row and combination of attributes (default: the prompt's, or 1)."),
    ] = None,
    prompt: Prompt = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=COLUMN,…",
            help="Columns of ORDER to read, for instance sku=Handle,colour=Color; all others are skipped.",
        ),
    ] = None,
    attr: Attr = None,
    seed: Seed = 0,
    seed_from: Annotated[str, typer.Option(help="job, or sku: a SKU looks the same in every order.")] = "job",
    truncation: Truncation = 1.0,
    size: Size = None,
    upscale: Upscale = None,
    background: Background = None,
    exact_colour: ExactColour = False,
    format: Annotated[
        str | None,
        typer.Option(help="File format: png, webp, jpeg or avif (default: jpeg with --preset, else png)."),
    ] = None,
    sheet: Sheet = False,
    webdataset: Annotated[
        bool, typer.Option("--webdataset", help="Store the images as tars that the library webdataset reads.")
    ] = False,
    photos: Annotated[
        Path | None,
        typer.Option(help="Folder of the pictures that ORDER names: photo, matte, scene, material."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="For photographs: a marketplace, such as amazon or zalando."),
    ] = None,
    aspect: Aspect = None,
    copy_space: CopySpace = None,
    light_from: LightFrom = None,
    pose: Pose = None,
    retouch: Retouch = None,
    priority: Annotated[str, typer.Option(help="bulk, or interactive (at most 64 images).")] = "bulk",
    quality_gate: Annotated[
        bool,
        typer.Option("--quality-gate", help="Make images again whose colour is not the requested one."),
    ] = False,
    keep: Annotated[
        str | None, typer.Option(help="How long after its end the order is kept: 30d or 12h.")
    ] = None,
    finish_by: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Deadline, such as 2026-12-24T18:00; images not begun by then are not made."
        ),
    ] = None,
    webhook: Annotated[
        str | None, typer.Option(metavar="URL", help="https URL that gets a message at the order's end.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Name by which people find the order again.")] = None,
    quote: Annotated[
        bool, typer.Option("--quote", help="Check the order and say how long it would take; order nothing.")
    ] = False,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same key never orders twice.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait for the end; exit with 1 if images are missing.")] = False,
    out: Annotated[Path | None, typer.Option(help="Wait, then download to this folder.")] = None,
    json: Json = False,
) -> None:
    """Order images from a service."""
    if order is not None and not order.is_file():
        raise NotFound(f"there is no order file {order}")
    if order is not None and not order.stat().st_size:
        raise ProdgenError(f"the order names no SKU: {order} is empty", param="order")
    if sheet and webdataset:
        raise ProdgenError("choose either --sheet or --webdataset", param="sheet")
    if photos and order is None:
        raise ProdgenError("--photos is for an order file with a column photo; name it too", param="photos")
    if columns and order is None:
        raise ProdgenError("--columns is for an order file; name the file too", param="columns")
    given = {
        "upscale": upscale,
        "exact_colour": exact_colour,
        "preset": preset,
        "aspect": aspect,
        "copy_space": copy_space,
        "light_from": light_from,
        "pose": pose,
        "retouch": retouch,
    }
    with connect() as gateway:
        spec: dict[str, Any] = {
            "model": model,
            "seed": seed,
            "seed_from": seed_from,
            "attributes": name_pictures(parse_attributes(attr), partial(_send_picture, gateway)),
            "truncation": truncation,
            "finish": {"size": size, "background": background}
            | {name: value for name, value in given.items() if value},
            "output": {"format": format or ("jpeg" if preset else "png")}
            | ({"packaging": "webdataset" if webdataset else "sheet"} if sheet or webdataset else {}),
            "priority": priority,
            "quality_gate": quality_gate,
            "keep": keep,
            "finish_by": finish_by and _local_time(finish_by),
            "title": title,
            "webhook": webhook,
            "prompt": prompt,
        } | ({} if count is None else {"count": count})
        if out:
            _check_output(out, key)
        named = split_pairs(columns) if columns else None
        if order and photos:
            with ProgressBars(json) as bars:
                spec["upload"] = gateway.upload_photo_order(order, photos, model, named, bars.report)
        elif order:
            spec |= {"upload": gateway.upload(order), "columns": named}
        if quote:
            _print_quote(gateway.quote(spec), json)
            return
        job = gateway.submit(spec, key)
        if job["reading"] and not json:
            remark(job["reading"]["sentence"])
        try:
            if wait or out:
                if not json:
                    remark(f"job {job['id']} is accepted: {job['total']} images")
                job = wait_for_job(gateway, job, quiet=json)
            if out:
                with writing(out):
                    download_job(gateway, job, out, quiet=json)
        except KeyboardInterrupt:
            then = f", then prodgen jobs download {job['id']} --out {out}" if out else ""
            remark(f"job {job['id']} is not stopped: prodgen jobs watch {job['id']}{then}")
            raise
    where = f", in {out}" if out else f"; prodgen jobs watch {job['id']}" if not wait else ""
    report(json, job, f"job {job['id']} {job['state']}: {job['done']} of {job['total']} images{where}")
    if (wait or out) and job["state"] != "succeeded":
        raise typer.Exit(1)


def _local_time(text: str) -> str:
    """Return a time in ISO 8601 with the time zone of this machine. Raises ProdgenError if it is no time.

    A ``text`` without a time zone is in this machine's time zone.
    """
    try:
        return datetime.fromisoformat(text).astimezone().isoformat()
    except ValueError:
        raise ProdgenError(
            f"{text!r} is not a time; write one such as 2026-12-24T18:00", param="finish_by"
        ) from None


def _send_picture(gateway: Client, attribute: str, name: str) -> str:
    """Upload the picture file ``name``, the value of an attribute, and return its digest.

    Raises NotFound if there is no such file, and ProdgenError if it is not a usable picture.
    """
    path = Path(name)
    if not path.is_file():
        raise NotFound(f"there is no picture {name}", param="attr")
    data = path.read_bytes()
    if fault := (swatch_fault if attribute == MATERIAL else picture_fault)(data) or end_fault(data):
        raise ProdgenError(f"{name} {fault}", param="attr")
    return gateway.upload(path)


def _print_quote(quote: dict[str, Any], json: bool) -> None:
    seconds = quote["seconds"]
    if seconds is None:
        time = "the time is not known, because no worker is alive, or none has made images of this model yet"
    else:
        time = f"about {timedelta(seconds=round(seconds))} for them and all images that wait before them"
    late = "; that is after the deadline, and the order would end without some images"
    report(
        json,
        quote,
        f"{quote['total']:,} images; {time}{late if quote['in_time'] is False else ''}; nothing was ordered",
    )


def _check_output(out: Path, key: str | None) -> None:
    """Check that the images of an order that is not sent yet can be written to the folder ``out``.

    Raises ProdgenError if the folder is not writable, and Conflict if it holds images of another order. With
    an idempotency key ``key``, the images may be those of this order, so there is no Conflict.
    """
    check_folder(out)
    manifest = out / "manifest.jsonl"
    if key is None and manifest.is_file() and manifest.stat().st_size:
        raise Conflict(
            f"{out} already holds the images of another order; choose another folder, "
            "or repeat that order with its --key"
        )
