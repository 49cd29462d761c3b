"""``prodgen submit``: an order to a gateway."""

from pathlib import Path
from typing import Annotated, Any

import typer

from prodgen.cli.generate import check_folder, make_folder
from prodgen.cli.options import Attr, Json, parse_attributes, print_json
from prodgen.cli.remote import client, console, fetch, follow
from prodgen.errors import Conflict, NotFound, ProdgenError


def submit(
    order: Annotated[
        Path | None, typer.Argument(help="A CSV or JSONL: sku, optional count, a column an attribute.")
    ] = None,
    model: Annotated[str, typer.Option(help="name, name@alias or name@version.")] = "fashion-mnist",
    count: Annotated[int, typer.Option(help="Images of each row and combination of attributes.")] = 1,
    attr: Attr = None,
    seed: Annotated[int, typer.Option()] = 0,
    seed_from: Annotated[str, typer.Option(help="job, or sku: a look that a SKU keeps for ever.")] = "job",
    truncation: Annotated[float, typer.Option(help="Below 1: safer and less various.")] = 1.0,
    size: Annotated[int | None, typer.Option(help="Side in pixels; the model's own if left out.")] = None,
    background: Annotated[str | None, typer.Option(help="A CSS colour behind the product.")] = None,
    format: Annotated[str, typer.Option(help="png, webp or jpeg.")] = "png",
    priority: Annotated[str, typer.Option(help="bulk, or interactive (at most 64 images).")] = "bulk",
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same never orders twice.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait for the end; exit 1 if images are missing.")] = False,
    out: Annotated[Path | None, typer.Option(help="Wait, then download to this folder.")] = None,
    json: Json = False,
) -> None:
    """Queue an order; reads PRODGEN_URL and PRODGEN_API_KEY."""
    if order is not None and not order.is_file():
        raise NotFound(f"there is no order file {order}")
    if order is not None and not order.stat().st_size:
        raise ProdgenError(f"the order names no SKU: {order} is empty", param="order")
    with client() as gateway:
        spec: dict[str, Any] = {
            "model": model,
            "count": count,
            "seed": seed,
            "seed_from": seed_from,
            "attributes": parse_attributes(attr),
            "truncation": truncation,
            "finish": {"size": size, "background": background},
            "output": {"format": format},
            "priority": priority,
        }
        if out:
            _check_output(out, key)
        if order:
            spec["upload"] = gateway.upload(order)
        job = gateway.submit(spec, key)
        if out:
            make_folder(out)
        try:
            if wait or out:
                if not json:
                    console.print(f"job {job['id']} is accepted: {job['total']} images", markup=False)
                job = follow(gateway, job, quiet=json)
            if out:
                fetch(gateway, job, out, quiet=json)
        except KeyboardInterrupt:
            then = f", then prodgen jobs download {job['id']} --out {out}" if out else ""
            told = f"job {job['id']} is not stopped: prodgen jobs watch {job['id']}{then}"
            console.print(told, soft_wrap=True, markup=False)
            raise
    if json:
        print_json(job)
    else:
        where = f", in {out}" if out else f"; prodgen jobs watch {job['id']}" if not wait else ""
        console.print(f"job {job['id']} {job['state']}: {job['done']} of {job['total']} images{where}")
    if (wait or out) and job["state"] != "succeeded":
        raise typer.Exit(1)


def _check_output(out: Path, key: str | None) -> None:
    """Raises ProdgenError, before anything is ordered, if the images cannot or must not go there."""
    check_folder(out)
    manifest = out / "manifest.jsonl"
    if key is None and manifest.is_file() and manifest.stat().st_size:
        raise Conflict(
            f"{out} already holds the images of another order; choose another folder, "
            "or repeat that order with its --key"
        )
