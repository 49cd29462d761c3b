"""``prodgen morph``: the images between two images, as a strip or as a loop."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qsl

import typer

from prodgen.cli.folders import writing
from prodgen.cli.options import Background, Json, Size
from prodgen.cli.output import report
from prodgen.cli.provenance import manifest_line
from prodgen.errors import NotFound, ProdgenError
from prodgen.spec.formula import STILLS, Formula, morph_of
from prodgen.spec.manifest import read_lines
from prodgen.spec.provenance import read_provenance

if TYPE_CHECKING:
    from prodgen.models import SavedModel

_ADDRESS = re.compile(r"(?:.*/)?(\d{1,16})/(\d{1,16})(?:\.\w+)?(?:\?(.*))?", re.ASCII)
_FORMATS = {**STILLS, ".gif": "gif"}
_WHAT = "an image file of prodgen, manifest.jsonl#INDEX, or SEED/INDEX?category=shoes&colour=red"


def morph(
    model: Annotated[str, typer.Argument(help="Bundled model, model folder, or OWNER/NAME of a hub.")],
    first: Annotated[str, typer.Argument(help=f"First image: {_WHAT}.")],
    second: Annotated[str, typer.Argument(help="Second image, in the same way.")],
    out: Annotated[Path, typer.Option(help="File: WebP and GIF are loops, PNG, JPEG and AVIF strips.")],
    steps: Annotated[int, typer.Option(help="Images from the first to the second, 2 to 32.")] = 8,
    share: Annotated[
        float | None, typer.Option(help="One image instead: 0 is the first, 1 the second.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Part that changes: look (the shape), category, colour …; as often as you like."),
    ] = None,
    size: Size = None,
    background: Background = None,
    json: Json = False,
) -> None:
    """Make the images between two images: a strip, a loop or one mix.

    --only look keeps the attributes of FIRST; --only colour --share 1 gives FIRST the colour of SECOND.
    """
    from prodgen.pipeline import Pipeline

    format = _FORMATS.get(out.suffix.lower())
    if format is None:
        raise ProdgenError(f"{out.name} must end in {', '.join(_FORMATS)}", param="out")
    if out.exists():
        raise ProdgenError(f"{out} exists already; choose another name", param="out")
    with Pipeline.from_pretrained(model) as pipeline:
        pair = [_formula(pipeline.model, text) for text in (first, second)]
        finish: dict[str, Any] = {"size": size, "background": background}
        wanted = {"steps": None} if share is not None else {"steps": steps}
        formula = morph_of(*pair, **wanted, share=share or 0.0, only=only or (), format=format, finish=finish)
        data = pipeline.render(formula)
    with writing(out.absolute().parent):
        out.write_bytes(data)
    made = {"images": formula.count, "out": str(out), "model": formula.model, "address": formula.path}
    report(json, made, f"{formula.count} images of {formula.model}: {out}")


def _formula(model: "SavedModel", text: str) -> Formula:
    """Return the formula of the image that ``text`` names: FILE, MANIFEST#INDEX, or an address.

    Raises ProdgenError if ``text`` names no image, or the file has no usable marks.
    """
    path, _, index = text.rpartition("#")
    if Path(text).is_file():
        recipe = read_provenance(Path(text)).recipe
        if not recipe or "seed" not in recipe:
            raise ProdgenError(f"{text} has no marks that say how a model drew it")
        return Formula.of(manifest_line(Path(text), "png", recipe))
    if index.isdecimal() and Path(path).is_file():
        with Path(path).open("rb") as file:
            line = next((line for line in read_lines(file) if line.index == int(index)), None)
        if line is None:
            raise NotFound(f"{path} lists no image {index}")
        return Formula.of(line)
    address = _ADDRESS.fullmatch(text)
    if address is None:
        raise ProdgenError(f"{text!r} names no image; write {_WHAT}")
    seed, number, query = address.groups()
    place: Any = (int(seed), int(number), "png")
    return Formula.read(model.id, model.config.attributes, place, parse_qsl(query or ""))
