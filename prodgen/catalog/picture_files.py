"""Read picture files in parallel, within bounds, and report all unreadable files in one error."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from prodgen.catalog.centre_crop import centre_crop
from prodgen.errors import ProdgenError

Progress = Callable[[int, int], None]
"""Progress callback: (pictures done, pictures in total)."""

EXTENSIONS = frozenset({
    ".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".avif",
    ".heic", ".heif",  # unreadable here, but skipping a phone's photographs in silence would be worse
})  # fmt: skip
"""File name extensions of pictures, in lower case."""
MAX_PIXELS = 100_000_000
MAX_NAMES = 3
"""Names that an error message lists."""

# Explicit, because some other formats of Pillow start programs (EPS: Ghostscript) for a file of any name.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
_THREADS = min(8, os.cpu_count() or 1)


def read_picture(path: Path, size: int, channels: int) -> NDArray[np.uint8]:
    """Read a picture upright as (size, size, channels) bytes; of an animation, the first frame.

    Raises ValueError for too many pixels, and any error of Pillow for a file that it cannot read.
    """
    with open_picture(path) as image:
        image.draft(None, (2 * size, 2 * size))  # decodes a JPEG no finer than needed
        return centre_crop(ImageOps.exif_transpose(image), size, channels)


@contextmanager
def open_picture(path: Path) -> Iterator[Image.Image]:
    """Open a picture file without decoding its pixels or turning it upright.

    Raises ValueError for too many pixels, and any error of Pillow for a file that it cannot read.
    """
    with Image.open(path, formats=_FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"{image.width}x{image.height} pixels are too many")
        yield image


def read_pictures(
    folder: Path, files: Sequence[str], size: int, channels: int, progress: Progress | None = None
) -> NDArray[np.uint8]:
    """Read ``files``, paths within ``folder``, in their order as (N, size, size, channels) bytes.

    Raises ProdgenError with the number of unreadable files and the names of the first few.
    """
    images = np.empty((len(files), size, size, channels), np.uint8)

    def read(row: int) -> str | None:
        try:
            images[row] = read_picture(folder / files[row], size, channels)
        except Exception as error:  # Pillow raises nearly any type for a broken file
            return f"{files[row]} ({fault_of(error)})"
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
            f"{len(faults)} of the {len(files)} pictures in {printable(folder)} cannot be read: "
            f"{first_names(faults)}; repair or remove them"
        )
    return images


def fault_of(error: Exception) -> str:
    """Describe in a few words why a picture could not be read, given the error that reading it raised."""
    if isinstance(error, UnidentifiedImageError):
        return "no JPEG, PNG, WebP, GIF, BMP, TIFF, PPM or AVIF"
    if isinstance(error, Image.DecompressionBombError):
        return "too many pixels"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip().rstrip(".") or type(error).__name__


def first_names(names: Sequence[str]) -> str:
    """Join the first few names, made printable, with commas, and an ellipsis if there are more."""
    return ", ".join(map(printable, names[:MAX_NAMES])) + (", ..." if len(names) > MAX_NAMES else "")


def printable(name: str | Path) -> str:
    """Return a file's name as valid Unicode, with ``?`` for bytes that are not UTF-8."""
    return str(name).encode(errors="replace").decode()
