"""The first look at a picture: enough of it to learn from, small enough to keep of every one."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.photographs.cut import Mask, first_cut
from prodgen.catalog.photographs.judge import is_instructive
from prodgen.catalog.photographs.plain import plain_cut
from prodgen.catalog.photographs.read import read_or_fault
from prodgen.catalog.photographs.thumb import to_thumb

_SIDE = 112
"""Pixels of the longer side at which the first cut is made."""
NOTHING = np.zeros(0, np.uint8)


class First(NamedTuple):
    """Of one picture. ``fault`` says why it cannot be read; then nothing else is known.

    ``thumb`` (THUMB, THUMB, 3) and ``mask`` (THUMB, THUMB) are bytes. ``instructive``: the cut looks right.
    """

    fault: str | None
    sha256: str = ""
    thumb: NDArray[np.uint8] = NOTHING
    mask: NDArray[np.uint8] = NOTHING
    instructive: bool = False


def first_look(path: Path) -> First:
    """A picture read and cut for the first time."""
    read = read_or_fault(path, _SIDE)
    if isinstance(read, str):
        return First(read)
    sha256, (rgb, alpha, _) = read
    mask: Mask | None = alpha > 127 if alpha is not None else plain_cut(rgb)
    mask = first_cut(rgb) if mask is None else mask
    return First(None, sha256, to_thumb(rgb), to_thumb(mask * np.uint8(255)), is_instructive(mask))
