"""Generate images again from their manifest, and compare them with the stored files."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, islice

import numpy as np
from numpy.typing import NDArray

from prodgen.errors import ProdgenError
from prodgen.generation.encode import decode, format_of, to_image
from prodgen.generation.engine import Engine
from prodgen.generation.request import Request
from prodgen.generation.upscale import upscaler_version
from prodgen.models import SavedModel
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.order import ImageRequest

LOSSY_TOLERANCE = 24
"""Number of levels of 255 by which files of a lossy format may differ.

A difference of one level before WebP or AVIF encoding became a difference of up to 20 levels after it.
"""

_CHUNK = 1024


@dataclass(frozen=True)
class Finding:
    """The result of verifying one image. ``fault``: what is wrong, or None.

    ``remade``: the file that was made again, or b"" if none could be made.
    """

    line: ManifestLine
    fault: str | None
    remade: bytes = b""


def verify(
    lines: Iterable[ManifestLine], read: Callable[[str], bytes | None], model: SavedModel, engine: Engine
) -> Iterator[Finding]:
    """Generate the image of each manifest line again, and compare it with the file ``read(line.file)``.

    ``read`` returns None for a file that is missing or cannot be read. Yields a finding for each line. Pixels
    may differ by the model's tolerance. Raises ProdgenError if a line names another model than ``model``.
    """
    read_sheet = lru_cache(1)(lambda name: _load_sheet(read(name)))
    alike = groupby(lines, lambda line: (line.truncation, line.finish, line.format))
    for (truncation, finish, format), group in alike:
        while chunk := list(islice(group, _CHUNK)):
            for line in chunk:
                if line.model != model.id:
                    raise ProdgenError(f"{line.file} was made by {line.model}, not by {model.id}")
            images = [
                ImageRequest(
                    n.index,
                    n.seed,
                    n.draw,
                    n.attributes,
                    n.sku,
                    attempt=n.attempt,
                    mix=n.mix,
                    start=n.picture,
                )
                for n in chunk
            ]
            request = Request(model, images, truncation, finish, format)
            for line, data in zip(chunk, engine.submit(request), strict=True):
                if line.upscaler and line.upscaler != upscaler_version():
                    fault = f"its upscaler was {line.upscaler}, and {upscaler_version()} is here"
                elif line.frame:
                    fault = _compare_frame(line, read_sheet(line.file), data, model.config.tolerance)
                else:
                    fault = compare(line, read(line.file), data, model.config.tolerance)
                yield Finding(line, fault, data)


def compare(line: ManifestLine, stored: bytes | None, remade: bytes, tolerance: int) -> str | None:
    """Return how a stored file differs from its manifest line or from the remade file; None if it does not.

    Pixels may differ by ``tolerance`` levels of 255.
    """
    if stored is None:
        return "the file is missing or cannot be read"
    if hashlib.sha256(stored).hexdigest() != line.sha256:
        return "the file's bytes do not match the recorded sha256"
    if (format := format_of(stored)) not in (None, line.format):
        return f"the file is of the format {format}, not {line.format}"
    return difference(stored, remade, line.format, tolerance)


def difference(stored: bytes, remade: bytes, format: str, tolerance: int) -> str | None:
    """Return how the images of two files differ, or None if they agree within ``tolerance`` levels of 255.

    ``format``: the format of the remade file. For a lossy format, `LOSSY_TOLERANCE` holds if it is larger.
    """
    if stored == remade:
        return None
    try:
        a, b = decode(stored), decode(remade)
    except ProdgenError as error:
        return str(error)
    return _difference_of_pixels(a, b, format, tolerance)


def _load_sheet(data: bytes | None) -> tuple[str, NDArray[np.uint8]] | None:
    """Return the digest and the pixels (H, W, 4) of a sprite sheet, or None if it cannot be read."""
    with suppress(ProdgenError):
        return (hashlib.sha256(data).hexdigest(), decode(data)) if data else None
    return None


def _compare_frame(
    line: ManifestLine, sheet: tuple[str, NDArray[np.uint8]] | None, remade: bytes, tolerance: int
) -> str | None:
    """Return how the image at the line's frame of a sheet differs from the remade file; None if it does not.

    ``sheet``: the digest and the pixels of the sheet, or None if it cannot be read.
    """
    if sheet is None:
        return "the sheet is missing or cannot be read"
    digest, pixels = sheet
    if digest != line.sha256:
        return "the sheet's bytes do not match the recorded sha256"
    x, y, width, height = line.frame
    image = np.asarray(to_image(decode(remade)).convert("RGBA"))
    return _difference_of_pixels(pixels[y : y + height, x : x + width], image, line.format, tolerance)


def _difference_of_pixels(
    a: NDArray[np.uint8], b: NDArray[np.uint8], format: str, tolerance: int
) -> str | None:
    if a.shape != b.shape:
        return f"the image has {_describe(a)}, but the model makes {_describe(b)}"
    worst = int(np.abs(_visible(a) - _visible(b)).max().round())
    allowed = tolerance if format == "png" else max(tolerance, LOSSY_TOLERANCE)
    if worst <= allowed:
        return None
    return f"the image differs by {worst} levels of 255; the tolerance is {allowed}"


def _describe(pixels: NDArray[np.uint8]) -> str:
    height, width, channels = pixels.shape
    return f"{width}x{height} pixels in {channels} channel{'s'[: channels > 1]}"


def _visible(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return ``pixels`` (H, W, C) as floats, with colour multiplied by alpha.

    Two fully transparent pixels look the same, even if their colours differ.
    """
    levels = pixels.astype(np.float32)
    if levels.shape[2] == 4:
        levels[..., :3] *= levels[..., 3:] / 255.0
    return levels
