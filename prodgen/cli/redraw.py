"""``prodgen redraw``: a model draws a picture of yours again, with other attributes."""

from pathlib import Path
from typing import Annotated

import typer

from prodgen.cli.folders import writing
from prodgen.cli.options import Background, Cutter, Json, Seed, Size, Weights, parse_attributes
from prodgen.cli.output import report
from prodgen.errors import ProdgenError
from prodgen.spec.formula import STILLS


def redraw(
    model: Annotated[str, typer.Argument(help="Bundled model, model folder, or OWNER/NAME of a hub.")],
    picture: Annotated[Path, typer.Argument(help="Photograph or picture of one product.")],
    out: Annotated[Path, typer.Option(help="File: PNG, WebP, JPEG or AVIF.")],
    attr: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Change, as often as you like.")
    ] = None,
    was: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="What the picture shows, if it is read wrongly."),
    ] = None,
    strength: Annotated[float, typer.Option(help="0 changes nothing, 1 all that --attr asks for.")] = 1.0,
    seed: Seed = 0,
    size: Size = None,
    background: Background = None,
    cutter: Cutter = None,
    weights: Weights = None,
    json: Json = False,
) -> None:
    """Make a picture of yours again by a model, with other attributes.

    Says what the picture was taken for, and how near the model draws it: the distance of the redrawn picture.
    """
    from prodgen.photographs.cutters import load_cutter
    from prodgen.pipeline import Pipeline

    format = STILLS.get(out.suffix.lower())
    if format is None:
        raise ProdgenError(f"{out.name} must end in {', '.join(STILLS)}", param="out")
    if out.exists():
        raise ProdgenError(f"{out} exists already; choose another name", param="out")
    if not picture.is_file():
        raise ProdgenError(f"there is no picture {picture}", param="picture")
    with Pipeline.from_pretrained(model) as pipeline:
        made = pipeline.redraw(
            picture.read_bytes(),
            {name: _one(name, values) for name, values in parse_attributes(attr).items()},
            was={name: _one(name, values) for name, values in parse_attributes(was).items()},
            strength=strength,
            seed=seed,
            format=format,
            finish={"size": size, "background": background},
            cutter=load_cutter(cutter, weights),
        )
    with writing(out.absolute().parent):
        out.write_bytes(made.data)
    found = made.found
    record = {"out": str(out), "attributes": found.attributes, "distance": found.distance}
    shown = ", ".join(f"{name} {value}" for name, value in found.attributes.items())
    taken = f"the picture was taken for {shown or 'a product'}"
    text = f"{out}: {taken}; {found.sentence} (distance {found.distance:.3f})"
    report(json, record, text)


def _one(name: str, values: list[str]) -> str:
    if len(values) > 1:
        raise ProdgenError(f"one picture is made, so {name} has one value", param="attr")
    return values[0]
