"""Measure how much the picture of a product differs between two versions of a model."""

import io
from threading import BoundedSemaphore

import numpy as np
from PIL import Image

from prodgen.errors import ProdgenError
from prodgen.spec.colour import Floats, delta_e_2000, to_lab
from prodgen.spec.photograph import FORMATS

SIDE = 64
"""Pictures are shrunk to squares of this side, in pixels, before they are compared."""
_DECODING = BoundedSemaphore(4)
"""Lets a process decode at most four pictures at once, because large pictures need much memory."""


def measure_change(old: bytes, new: bytes) -> tuple[float, float]:
    """Return two CIEDE2000 differences between two image files: 0 means equal, about 1 just visible.

    The first number is the mean difference of the quarter of the pixels that differ most. It grows with every
    change of shape, pattern or colour; a large ground does not reduce it. The second number is the difference
    of the mean colours. It stays small if only the shape changes. Transparent parts count as white. Raises
    ProdgenError for a file that is no image.
    """
    ours, theirs = _small_lab(old), _small_lab(new)
    pixels = np.sort(delta_e_2000(ours, theirs), None)
    return float(pixels[-(pixels.size // 4) :].mean()), float(
        delta_e_2000(ours.mean((0, 1)), theirs.mean((0, 1)))
    )


def _small_lab(data: bytes) -> Floats:
    """Return an image file, on white and shrunk, as CIELAB (SIDE, SIDE, 3). Raises ProdgenError if broken."""
    try:
        with _DECODING, Image.open(io.BytesIO(data), formats=FORMATS) as image:
            image.draft("RGB", (2 * SIDE, 2 * SIDE))  # lets a JPEG be decoded at a fraction of its size
            layers = image.convert("RGBA").resize((SIDE, SIDE), Image.Resampling.BOX)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ProdgenError(f"a file to compare is not a complete image: {error}") from None
    white = Image.new("RGBA", layers.size, "white")
    return to_lab(np.asarray(Image.alpha_composite(white, layers).convert("RGB")))
