"""Make the file of a formula: one image, or the images of a morph side by side or as a loop."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from prodgen.generation.encode import decode, encode, encode_loop
from prodgen.generation.request import Model, Request
from prodgen.spec.formula import LOOPS, Formula
from prodgen.spec.provenance import GENERATED, make_xmp
from prodgen.spec.redrawing import Found


def request_of(
    model: Model, formula: Formula, priority: int = 0, tenant: str = "", found: Found | None = None
) -> Request:
    """Return the request for the images of a formula. The images of a morph are PNG files without marks.

    ``found``: the latent of the picture that the formula redraws. Raises ProdgenError for a wrong finish or
    size.
    """
    model.config.check_finish(formula.finish)
    formula.check_pixels(model.config.side(formula.finish))
    request = Request(
        model, formula.images(found), formula.truncation, formula.finish, formula.format, priority, tenant
    )
    if not formula.steps:
        return request
    return replace(request, finish=request.opaque_finish, format="png", marks=False)


def file_of(formula: Formula, images: Iterable[bytes]) -> bytes:
    """Return the file of a formula. ``images``: the files of all images of `request_of`, in order."""
    files = [*images]
    if not formula.steps:
        return files[0]
    frames = [decode(data) for data in files]
    recipe = formula.model_dump(exclude_defaults=True, exclude={"format"})
    xmp = make_xmp(GENERATED, {"draw": recipe.pop("index"), **recipe})
    if formula.format in LOOPS:
        return encode_loop(frames, formula.format, xmp)
    return encode(np.concatenate(frames, axis=1), formula.format, xmp)
