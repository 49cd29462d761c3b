"""``prodgen generate``: make images on this machine, without a service."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from prodgen.cli.folders import writing
from prodgen.cli.options import (
    Attr,
    Background,
    ExactColour,
    Format,
    Json,
    Prompt,
    Seed,
    Sheet,
    Size,
    Truncation,
    Upscale,
    parse_attributes,
)
from prodgen.cli.output import remark, report
from prodgen.cli.progress import ProgressBars
from prodgen.errors import ProdgenError
from prodgen.settings import settings
from prodgen.spec.manifest import ManifestLine, check_same_images
from prodgen.spec.prompt import read_order
from prodgen.spec.provenance import GENERATED, make_xmp
from prodgen.spec.sprite_sheet import Layout, pack

SHEET = 100
"""Largest number of images on the contact sheet."""


def generate(
    model: Annotated[str, typer.Argument(help="Bundled model, model folder, or OWNER/NAME of a hub.")],
    out: Annotated[Path, typer.Option(help="Folder for the images, manifest.jsonl and sheet.png.")],
    count: Annotated[
        int | None,
        typer.Option(help="Images of each combination of attributes (default: the prompt's, or 1)."),
    ] = None,
    prompt: Prompt = None,
    attr: Attr = None,
    seed: Seed = 0,
    truncation: Truncation = 1.0,
    size: Size = None,
    upscale: Upscale = None,
    background: Background = None,
    exact_colour: ExactColour = False,
    format: Format = "png",
    sheet: Sheet = False,
    json: Json = False,
) -> None:
    """Generate images, their manifest and a contact sheet."""
    from prodgen.generation.encode import decode, encode_image, to_image
    from prodgen.generation.sheet import contact_sheet
    from prodgen.pipeline import Pipeline, make_spec

    with Pipeline.from_pretrained(model) as pipeline:
        wish = make_spec(
            model=pipeline.model.id,
            prompt=prompt,
            **({} if count is None else {"count": count}),
            seed=seed,
            truncation=truncation,
            attributes=parse_attributes(attr),
            finish={
                "size": size,
                "upscale": upscale,
                "background": background,
                "exact_colour": exact_colour,
            },
            output={"format": format, "packaging": "sheet" if sheet else "auto"},
        )
        spec, reading = read_order(wish, pipeline.model.config)
        if reading and not json:
            remark(reading.sentence)
        total, most = pipeline.count(spec), settings().max_images_per_job
        if total > most:
            raise ProdgenError(
                f"{total:,} images are too many for one order; at most {most:,} are made", param="count"
            )
        layout = Layout(pipeline.model.config.side(spec.finish), total) if sheet else None
        planned = pipeline.planned_manifest(spec)
        check_same_images(out, map(layout.place, planned) if layout else planned)
        start = time.perf_counter()
        shown: list[tuple[Image.Image, str]] = []
        with writing(out), (out / "manifest.jsonl").open("w") as manifest, ProgressBars(json) as bars:

            def images() -> Iterator[tuple[ManifestLine, bytes]]:
                """Yield the images as they are made, and remember those of the contact sheet."""
                for done, (line, data) in enumerate(pipeline.stream(spec), 1):
                    yield line, data
                    bars.report("Making images", done, total)
                    if len(shown) < SHEET:
                        shown.append((to_image(decode(data)), " ".join(line.attributes.values())))

            for file, data, lines in _files(images(), layout):
                (out / file).write_bytes(data)
                manifest.writelines(line.to_json() + "\n" for line in lines)
            contacts = contact_sheet([i for i, _ in shown], [label for _, label in shown])
            (out / "sheet.png").write_bytes(encode_image(contacts, "png", make_xmp(GENERATED, {})))
        seconds = time.perf_counter() - start
        ref = pipeline.model.id
    made = {"images": total, "out": str(out), "model": ref, "seconds": seconds}
    report(json, made, f"{total} images of {ref} in {seconds:.1f} s: {out}/sheet.png")


def _files(
    images: Iterable[tuple[ManifestLine, bytes]], layout: Layout | None
) -> Iterator[tuple[str, bytes, list[ManifestLine]]]:
    """Yield (name, content, manifest lines of the images in the file) for each file to write.

    Without ``layout``, there is a file for each image; with it, sprite sheets and their atlases.
    """
    if layout is None:
        yield from ((line.file, data, [line]) for line, data in images)
        return
    for sheet in pack(layout, images):
        yield f"{sheet.name}.png", sheet.png, sheet.lines
        yield f"{sheet.name}.json", sheet.atlas, []
