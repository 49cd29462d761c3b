"""``prodgen generate``: make images on this machine, without a service."""

import time
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from prodgen.cli.folders import writing
from prodgen.cli.options import (
    Attr,
    Background,
    Format,
    Json,
    Prompt,
    Seed,
    Size,
    Truncation,
    parse_attributes,
)
from prodgen.cli.output import remark, report
from prodgen.cli.progress import ProgressBars
from prodgen.errors import ProdgenError
from prodgen.settings import settings
from prodgen.spec.manifest import check_same_images
from prodgen.spec.prompt import read_order
from prodgen.spec.provenance import GENERATED, make_xmp

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
    background: Background = None,
    format: Format = "png",
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
            finish={"size": size, "background": background},
            output={"format": format},
        )
        spec, reading = read_order(wish, pipeline.model.config)
        if reading and not json:
            remark(reading.sentence)
        total, most = pipeline.count(spec), settings().max_images_per_job
        if total > most:
            raise ProdgenError(
                f"{total:,} images are too many for one order; at most {most:,} are made", param="count"
            )
        check_same_images(out, pipeline.planned_manifest(spec))
        start = time.perf_counter()
        shown: list[tuple[Image.Image, str]] = []
        with writing(out), (out / "manifest.jsonl").open("w") as manifest, ProgressBars(json) as bars:
            for done, (line, data) in enumerate(pipeline.stream(spec), 1):
                (out / line.file).write_bytes(data)
                manifest.write(line.to_json() + "\n")
                bars.report("Making images", done, total)
                if len(shown) < SHEET:
                    shown.append((to_image(decode(data)), " ".join(line.attributes.values())))
            sheet = contact_sheet([i for i, _ in shown], [label for _, label in shown])
            (out / "sheet.png").write_bytes(encode_image(sheet, "png", make_xmp(GENERATED, {})))
        seconds = time.perf_counter() - start
        ref = pipeline.model.id
    made = {"images": total, "out": str(out), "model": ref, "seconds": seconds}
    report(json, made, f"{total} images of {ref} in {seconds:.1f} s: {out}/sheet.png")
