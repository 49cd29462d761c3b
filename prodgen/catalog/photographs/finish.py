"""The last look at a picture: cut out, judged, centred and described."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.photographs.colours import colours
from prodgen.catalog.photographs.cut import Mask, Pixels, first_cut
from prodgen.catalog.photographs.judge import Marks, mark, sure_marks
from prodgen.catalog.photographs.pattern import variation
from prodgen.catalog.photographs.plain import plain_cut
from prodgen.catalog.photographs.read import read_photograph
from prodgen.catalog.photographs.refine import second_cut, soft_edge, without_ground
from prodgen.catalog.photographs.square import square
from prodgen.catalog.photographs.thumb import from_thumb
from prodgen.spec.colour import mean_colours

_SIDE = 192
"""Pixels of the longer side, at least, at which the final cut is made."""
_FINER = 2.5
"""Pixels of it for each of the square's, at least: edges are made by shrinking."""


class Task(NamedTuple):
    """``likely``: how likely each pixel is product, if a network knows; ``alone``: the first cut's mask.

    Both are thumbs, (THUMB, THUMB) bytes.
    """

    path: Path
    size: int
    likely: NDArray[np.uint8] | None
    alone: NDArray[np.uint8]


class Finished(NamedTuple):
    """What is known of a cut-out: ``colour`` and ``colours`` in CIELAB, ``coverage`` of the square."""

    marks: Marks
    coverage: float
    colour: list[float]
    colours: list[dict[str, Any]]
    variation: float


def finish(task: Task) -> tuple[NDArray[np.uint8], Finished] | None:
    """A picture that can be read -> (S, S, 4) bytes, premultiplied, and what is known of them.

    None if there is no product in it at all.
    """
    rgb, alpha, _ = read_photograph(task.path, max(_SIDE, round(_FINER * task.size)))
    if alpha is not None:
        cover, marks = alpha.astype(np.float32) / np.float32(255), sure_marks(alpha > 127)
    else:
        mask, marks = _cut(rgb, task)
        cover = soft_edge(rgb, mask)
        rgb = without_ground(rgb, cover)
    if not (cover >= 0.5).any():
        return None
    pixels = square(rgb, cover, task.size)
    found = [{"lab": lab.round(2).tolist(), "share": round(share, 3)} for lab, share in colours(pixels)]
    coverage = round(float(pixels[..., 3].mean()) / 255, 4)
    mean = mean_colours(pixels[None])[0].round(2).tolist()
    return pixels, Finished(marks, coverage, mean, found, variation(pixels))


def _cut(rgb: Pixels, task: Task) -> tuple[Mask, Marks]:
    plain = plain_cut(rgb)
    if plain is not None:
        return plain, sure_marks(plain)
    if task.likely is None:
        mask = first_cut(rgb)
        return mask, mark(rgb, mask)
    likely = from_thumb(task.likely, rgb.shape).astype(np.float32) / np.float32(255)
    mask = second_cut(rgb, likely)
    return mask, mark(rgb, mask, likely > 0.5, from_thumb(task.alone, rgb.shape) > 127)
