"""A photograph's pixels, whatever kind of file it is."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from prodgen.catalog.centre_crop import to_eight_bits
from prodgen.catalog.picture_files import fault_of, open_picture

_CLEAR, _CLEAR_SHARE = 128, 0.02
"""A picture has a cut-out of its own if this share of its pixels has less alpha than that."""


class Photograph(NamedTuple):
    """``rgb``: (H, W, 3) bytes; ``alpha``: (H, W) bytes where the file has a cut-out of its own.

    ``size`` is the file's own (width, height), before it was shrunk or turned upright.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    size: tuple[int, int]


def read_or_fault(path: Path, side: int) -> tuple[str, Photograph] | str:
    """The SHA-256 of a picture's file and its pixels, or in words why it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest(), read_photograph(path, side)
    except Exception as error:  # a broken file makes Pillow raise nearly anything
        return fault_of(error)


def read_photograph(path: Path, side: int) -> Photograph:
    """A picture, upright and at most ``side`` pixels long; of an animation the first frame.

    A little transparency is laid on white. Raises whatever Pillow raises for a file that it cannot read, and
    ValueError for too many pixels.
    """
    with open_picture(path) as image:
        size = image.size
        image.draft(None, (2 * side, 2 * side))  # a JPEG is decoded no finer than it need be
        upright = to_eight_bits(ImageOps.exif_transpose(image))
    upright.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    if upright.mode != "RGBA":
        return Photograph(np.asarray(upright.convert("RGB")), None, size)
    alpha = np.asarray(upright.getchannel("A"))
    if (alpha < _CLEAR).mean() >= _CLEAR_SHARE:
        return Photograph(np.asarray(upright.convert("RGB")), alpha, size)
    white = Image.new("RGBA", upright.size, "white")
    return Photograph(np.asarray(Image.alpha_composite(white, upright).convert("RGB")), None, size)
