"""Decode a photograph, with the alpha channel of its file if that separates the product."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from prodgen.catalog.picture_files import fault_of, load_upright, to_eight_bits

_TRANSPARENT, _TRANSPARENT_SHARE = 128, 0.02
"""The alpha channel separates the product if at least this share of the pixels has a lower alpha."""


class Photograph(NamedTuple):
    """A decoded photograph.

    ``rgb`` is (H, W, 3) bytes. ``alpha`` is (H, W) bytes if the file's alpha channel separates the product,
    else None. ``size`` is the file's own (width, height), before shrinking and turning upright.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    size: tuple[int, int]


def decode_or_fault(path: Path, side: int) -> tuple[str, Photograph] | str:
    """Return the SHA-256 of a file and its photograph, or a description of why it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest(), decode(path, side)
    except Exception as error:  # Pillow raises nearly any type for a broken file
        return fault_of(error)


def decode(path: Path, side: int) -> Photograph:
    """Decode a photograph upright, its longer side at most ``side`` pixels; of an animation, the first frame.

    An alpha channel that does not separate the product is composited on white. Raises ValueError for too many
    pixels, and any error of Pillow for a file that it cannot read.
    """
    loaded, size = load_upright(path, side)
    upright = to_eight_bits(loaded)
    upright.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    alpha = None
    if upright.mode == "RGBA":
        alpha = np.asarray(upright.getchannel("A"))
        if (alpha < _TRANSPARENT).mean() < _TRANSPARENT_SHARE:
            alpha = None
            upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
    return Photograph(np.asarray(upright.convert("RGB")), alpha, size)
