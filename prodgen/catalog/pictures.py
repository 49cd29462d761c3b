"""Picture files in: read in parallel, within bounds, with everything that is wrong told at once."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from prodgen.catalog.fit import fit
from prodgen.errors import ProdgenError

Progress = Callable[[int, int], None]
"""Hears (done, total)."""

EXTENSIONS = frozenset({
    ".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".avif",
    ".heic", ".heif",  # cannot be read here, but to pass over a phone's photographs in silence is worse
})  # fmt: skip
"""What counts as a picture."""
MOST_PIXELS = 100_000_000
SHOWN = 3
"""How many names a sentence gives."""

# Named, because some of Pillow's other formats start programs (EPS: Ghostscript), whatever a file is called.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
_THREADS = min(8, os.cpu_count() or 1)


def read_picture(path: Path, size: int, channels: int) -> NDArray[np.uint8]:
    """(size, size, channels) bytes, upright; of an animation the first frame.

    Raises whatever Pillow raises for a file that it cannot read, and ValueError for too many pixels.
    """
    with opened(path) as image:
        image.draft(None, (2 * size, 2 * size))  # a JPEG is decoded no finer than it need be
        return fit(ImageOps.exif_transpose(image), size, channels)


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """The picture in a file, neither decoded nor turned upright yet.

    Raises whatever Pillow raises for a file that it cannot read, and ValueError for too many pixels.
    """
    with Image.open(path, formats=_FORMATS) as image:
        if image.width * image.height > MOST_PIXELS:
            raise ValueError(f"{image.width}x{image.height} pixels are too many")
        yield image


def read_pictures(
    folder: Path, files: Sequence[str], size: int, channels: int, progress: Progress | None = None
) -> NDArray[np.uint8]:
    """The pictures ``files``, paths within ``folder``, in their order -> (N, size, size, channels) bytes.

    Raises ProdgenError with the count of those that cannot be read, and the first of them.
    """
    images = np.empty((len(files), size, size, channels), np.uint8)

    def read(row: int) -> str | None:
        try:
            images[row] = read_picture(folder / files[row], size, channels)
        except Exception as error:  # a broken file makes Pillow raise nearly anything
            return f"{shown(files[row])} ({why(error)})"
        return None

    faults = []
    with ThreadPoolExecutor(_THREADS) as pool:
        for done, fault in enumerate(pool.map(read, range(len(files))), 1):
            if fault:
                faults.append(fault)
            if progress:
                progress(done, len(files))
    if faults:
        raise ProdgenError(
            f"{len(faults)} of the {len(files)} pictures in {shown(folder)} cannot be read: {first(faults)}; "
            "repair or remove them"
        )
    return images


def why(error: Exception) -> str:
    """What is wrong with a picture that cannot be read, in a few words."""
    if isinstance(error, UnidentifiedImageError):
        return "no JPEG, PNG, WebP, GIF, BMP, TIFF, PPM or AVIF"
    if isinstance(error, Image.DecompressionBombError):
        return "too many pixels"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip().rstrip(".") or type(error).__name__


def first(names: Sequence[str]) -> str:
    """The first few of ``names``, and whether there are more."""
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def shown(name: str | Path) -> str:
    """A file's name as it can be printed, even if its bytes are no UTF-8."""
    return str(name).encode(errors="replace").decode()
