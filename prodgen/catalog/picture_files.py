"""Read picture files, and crop them to the one size and number of channels that a network takes."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from prodgen.catalog.colour_profiles import to_srgb
from prodgen.errors import ProdgenError
from prodgen.files import sha256
from prodgen.library_warnings import name_warnings, warn_once
from prodgen.spec.photograph import FORMATS, MAX_PIXELS

Progress = Callable[[int, int], None]
"""Progress callback: (pictures done, pictures in total)."""

EXTENSIONS = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm",
    ".avif", ".heic", ".heif",  # unreadable here; a phone's photographs are reported, not skipped
})  # fmt: skip
"""File name extensions of pictures, in lower case."""
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's mode for each number of channels."""
_NAMED = 3  # names that an error message lists

_THREADS = min(8, os.cpu_count() or 1)
_TRANSPARENT, _TRANSPARENT_SHARE = 128, 0.02
"""An alpha channel marks the product if alpha is below _TRANSPARENT in at least this share of the pixels."""


class Photograph(NamedTuple):
    """A decoded photograph."""

    rgb: NDArray[np.uint8]  # (H, W, 3)
    alpha: NDArray[np.uint8] | None  # (H, W), if the file's alpha channel marks the product
    size: tuple[int, int]  # the file's own width and height, before shrinking and turning upright

    def on_white(self) -> NDArray[np.uint8]:
        """Return the pixels (H, W, 3), with white where the photograph is transparent."""
        if self.alpha is None:
            return self.rgb
        alpha = Image.fromarray(self.alpha)
        white = Image.new("RGB", alpha.size, "white")
        return np.asarray(Image.composite(Image.fromarray(self.rgb), white, alpha))


def decode_or_fault(path: Path, side: int) -> tuple[str, Photograph] | str:
    """Return the SHA-256 of a file and its photograph, or a text that says why the file cannot be read."""
    try:
        return sha256(path), decode(path, side, warn=True)
    except Exception as error:  # Pillow raises nearly any type for a broken file
        return fault_of(error)


def decode(path: Path | IO[bytes], side: int, *, warn: bool = False) -> Photograph:
    """Decode a photograph or an animation's first frame, upright; the longer side is at most ``side`` pixels.

    Composites the picture on white if its alpha channel does not mark the product. With ``warn``, a broken
    colour profile and warnings of Pillow are logged. Raises ValueError for too many pixels, and any error of
    Pillow for a file that Pillow cannot read.
    """
    loaded, size = _load_upright(path, side, warn=warn)
    upright = _to_eight_bits(loaded)
    upright.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    alpha = None
    if upright.mode == "RGBA":
        alpha = np.asarray(upright.getchannel("A"))
        if (alpha < _TRANSPARENT).mean() < _TRANSPARENT_SHARE:
            alpha = None
            upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
    return Photograph(np.asarray(upright.convert("RGB")), alpha, size)


def read_pictures(
    folder: Path, files: Sequence[str], size: int, channels: int, progress: Progress | None = None
) -> NDArray[np.uint8]:
    """Read N pictures, ``files`` within ``folder``, as (N, size, size, channels) bytes in this order.

    Raises ProdgenError with the number of unreadable files and the names of the first few.
    """
    images = np.empty((len(files), size, size, channels), np.uint8)

    def read(row: int) -> str | None:
        try:
            images[row] = centre_crop(_load_upright(folder / files[row], size, warn=True)[0], size, channels)
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


def centre_crop(image: Image.Image, size: int, channels: int) -> NDArray[np.uint8]:
    """Return the centre square of a picture, resized by Lanczos to (size, size, channels) bytes.

    Transparent pixels become white. If ``channels`` is 4, colours are premultiplied by alpha instead. Raises
    ValueError for a picture that cannot be converted to 8 bits.
    """
    plain = _to_eight_bits(image)
    side = min(plain.size)
    left, top = (plain.width - side) // 2, (plain.height - side) // 2
    box = (left, top, left + side, top + side)
    small = plain.resize((size, size), Image.Resampling.LANCZOS, box, reducing_gap=3.0)
    if small.mode == "RGBA" and channels < 4:
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    cropped = small.convert(MODES[channels])
    if channels == 4:
        cropped = cropped.convert("RGBa")  # Pillow's name for premultiplied
    return np.asarray(cropped).reshape(size, size, channels)


def centre_crop_all(
    images: NDArray[np.uint8], size: int | None = None, channels: int | None = None
) -> NDArray[np.uint8]:
    """Centre-crop (N, H, W, C) bytes to (N, size, size, channels); None means the present H or C."""
    height, width, depth = images.shape[1:]
    size, channels = size or height, channels or depth
    if (height, width, depth) == (size, size, channels):
        return images
    cropped = np.empty((len(images), size, size, channels), np.uint8)
    for row, image in enumerate(images):
        cropped[row] = centre_crop(Image.fromarray(image[..., 0] if depth == 1 else image), size, channels)
    return cropped


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Convert a picture to mode L, RGB or RGBA; raises ValueError for values of neither 8 nor 16 bits."""
    if image.mode == "F" or image.mode.startswith("I"):
        # Pillow's own conversion clips every value above 255, which leaves a white page.
        values = np.asarray(image)
        if image.mode == "F" or values.min() < 0 or values.max() > 65535:
            raise ValueError("its pixels are neither 8 nor 16 bits")
        return Image.fromarray((values / 257).round().astype(np.uint8))
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _load_upright(path: Path | IO[bytes], side: int, *, warn: bool) -> tuple[Image.Image, tuple[int, int]]:
    """Load a picture or an animation's first frame, upright, in sRGB; return it and its (width, height).

    A JPEG is decoded no finer than ``side`` pixels need. Raises ValueError for too many pixels, and any error
    of Pillow for a file that Pillow cannot read.
    """
    with (
        name_warnings(printable(str(path))) if warn else nullcontext(),
        Image.open(path, formats=FORMATS) as image,
    ):
        size = image.size
        if size[0] * size[1] > MAX_PIXELS:
            raise ValueError(f"{size[0]}x{size[1]} pixels are too many")
        image.draft(None, (2 * side, 2 * side))  # decodes a JPEG no finer than needed
        upright = ImageOps.exif_transpose(image)
    try:
        return to_srgb(upright), size
    except ValueError as error:
        if warn:
            warn_once(f"{printable(str(path))} has a broken colour profile, which is ignored: {error}")
        return upright, size


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
    """Join the first few names, made printable, with commas; append an ellipsis if there are more names."""
    return ", ".join(map(printable, names[:_NAMED])) + (", ..." if len(names) > _NAMED else "")


def printable(name: str | Path) -> str:
    """Return a file's name as valid Unicode, with ``?`` for bytes that are not UTF-8."""
    return str(name).encode(errors="replace").decode()
