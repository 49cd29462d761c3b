"""``prodgen generate``: images on this machine, with no service."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image
from rich.console import Console
from rich.progress import track

from prodgen.cli.options import Attr, Json, parse_attributes, print_json
from prodgen.errors import ProdgenError
from prodgen.settings import settings
from prodgen.spec.manifest import check_same_images

SHEET = 100
"""Images that a contact sheet shows at most."""


def generate(
    model: Annotated[str, typer.Argument(help="A bundled name, a model folder, or a hub's owner/name.")],
    out: Annotated[Path, typer.Option(help="The folder for images, manifest.jsonl and sheet.png.")],
    count: Annotated[int, typer.Option(help="Images of each combination of attributes.")] = 1,
    attr: Attr = None,
    seed: Annotated[int, typer.Option()] = 0,
    truncation: Annotated[float, typer.Option(help="Below 1: safer and less various.")] = 1.0,
    size: Annotated[int | None, typer.Option(help="Side in pixels; the model's own if left out.")] = None,
    background: Annotated[str | None, typer.Option(help="A CSS colour behind the product.")] = None,
    format: Annotated[str, typer.Option(help="png, webp or jpeg.")] = "png",
    json: Json = False,
) -> None:
    """Make images here and now: 000000000.png …, manifest.jsonl and sheet.png."""
    from prodgen.generation.encode import decode, to_image
    from prodgen.generation.sheet import contact_sheet
    from prodgen.pipeline import Pipeline, make_spec

    with Pipeline.from_pretrained(model) as pipeline:
        spec = make_spec(
            model=pipeline.model.ref,
            count=count,
            seed=seed,
            truncation=truncation,
            attributes=parse_attributes(attr),
            finish={"size": size, "background": background},
            output={"format": format},
        )
        total, most = pipeline.count(spec), settings().max_images_per_job
        if total > most:
            raise ProdgenError(
                f"{total:,} images are too many for one order; at most {most:,} are made", param="count"
            )
        check_same_images(out, pipeline.planned_manifest(spec))
        make_folder(out)
        start = time.perf_counter()
        shown: list[tuple[Image.Image, str]] = []
        console = Console(stderr=True)
        with (out / "manifest.jsonl").open("w") as manifest:
            stream = pipeline.stream(spec)
            for line, data in track(stream, "Making images", total, console=console, disable=json):
                (out / line.file).write_bytes(data)
                manifest.write(line.to_json() + "\n")
                if len(shown) < SHEET:
                    shown.append((to_image(decode(data)), " ".join(line.attributes.values())))
        contact_sheet([i for i, _ in shown], [label for _, label in shown]).save(out / "sheet.png")
        seconds = time.perf_counter() - start
        ref = pipeline.model.ref
    if json:
        print_json({"images": total, "out": str(out), "model": ref, "seconds": seconds})
    else:
        console.print(f"{total} images of {ref} in {seconds:.1f} s: {out}/sheet.png")


def check_folder(path: Path) -> None:
    """Raises ProdgenError if `make_folder` could not make it; makes nothing."""
    nearest = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise ProdgenError(f"cannot write to {path}: {nearest} is no folder that you may write to")


def make_folder(path: Path) -> None:
    """The folder for a command's output; raises ProdgenError if it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProdgenError(f"cannot write to {path}: {error.strerror}") from None
