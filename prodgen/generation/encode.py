"""Encode pixels as image files, and decode image files."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from prodgen.errors import ProdgenError
from prodgen.generation.png import encode_png, with_xmp
from prodgen.spec.photograph import FORMATS
from prodgen.spec.provenance import GIF_XMP

AVIF = {"quality": 90, "subsampling": "4:4:4", "speed": 10, "max_threads": 1}
"""Pillow's options. Slower speeds took 4 to 10 times as long for 1 to 4% fewer bytes (256 px)."""
_BROKEN = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""The errors that Pillow raises for a file that is no image, or is too large."""
_OPTIONS: dict[str, dict[str, Any]] = {
    "webp": {"quality": 92},
    "jpeg": {"quality": 95, "subsampling": 0},
    "avif": AVIF,
    "gif": {},
}

_GIF_HEADER = 13
"""Bytes of a GIF before its table of colours."""
_GIF_TAIL = b"\1" + bytes(range(255, -1, -1)) + b"\0"
"""The bytes after XMP in a GIF. Programs that do not know XMP find the next block by them (XMP, part 3)."""
FRAME_MS, END_MS = 90, 600
"""Milliseconds for which a loop shows each image, and for which it shows the first and the last image."""


def to_image(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return ``pixels`` (H, W, C), C = 1, 3 or 4, as an image of mode L, RGB or RGBA."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def encode(pixels: NDArray[np.uint8], format: str, xmp: bytes = b"") -> bytes:
    """Encode one image, ``pixels`` (H, W, C), as `encode_all` does."""
    return encode_all(pixels[None], format, [xmp])[0]


def encode_all(pixels: NDArray[np.uint8], format: str, xmp: Sequence[bytes]) -> list[bytes]:
    """Encode ``pixels`` (B, H, W, C) as image files; return the bytes of each file.

    ``xmp``: the XMP packet of each image, empty for none. ``format``: png, webp, jpeg or avif. JPEG has no
    transparency, so a transparent image is laid on white.
    """
    if format == "png":
        return encode_png(pixels, xmp)
    images = [to_image(one) for one in pixels]
    if format == "jpeg" and pixels.shape[-1] == 4:
        images = [on_white(image) for image in images]
    options = _OPTIONS[format]
    return [encode_image(image, format, packet, **options) for image, packet in zip(images, xmp, strict=True)]


def encode_loop(frames: Sequence[NDArray[np.uint8]], format: str, xmp: bytes) -> bytes:
    """Encode ``frames``, each (H, W, C), as a WebP or GIF that repeats them for ever, forwards and back."""
    images = [to_image(frame) for frame in (*frames, *frames[-2:0:-1])]
    times = [FRAME_MS] * len(images)
    times[0] = times[len(frames) - 1] = END_MS
    loop = {"save_all": True, "append_images": images[1:], "duration": times, "loop": 0}
    return encode_image(images[0], format, xmp, **_OPTIONS[format], **loop)


def encode_image(image: Image.Image, format: str, xmp: bytes, **options: Any) -> bytes:
    """Encode an image as a file with the XMP packet ``xmp``, or without metadata if it is empty.

    ``options`` are Pillow's for the format.
    """
    buffer = io.BytesIO()
    if format == "png":
        image.save(buffer, format, **options)
        return with_xmp(buffer.getvalue(), xmp)
    image.save(buffer, format, xmp=xmp, **options)
    return _with_gif_xmp(buffer.getvalue(), xmp) if format == "gif" and xmp else buffer.getvalue()


def _with_gif_xmp(gif: bytes, xmp: bytes) -> bytes:
    """Insert an XMP packet after the table of colours of a GIF. Pillow cannot write XMP into a GIF."""
    flags = gif[10]
    body = _GIF_HEADER + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    return gif[:body] + GIF_XMP + xmp + _GIF_TAIL + gif[body:]


def on_white(image: Image.Image) -> Image.Image:
    """Lay an image on a white background; return it as RGB."""
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def format_of(data: bytes) -> str | None:
    """Return the format of an image file, such as ``png``, or None if the data is not an image."""
    try:
        return (Image.open(io.BytesIO(data), formats=FORMATS).format or "").lower() or None
    except _BROKEN:
        return None


def decode(data: bytes) -> NDArray[np.uint8]:
    """Return the pixels (H, W, C) of an image file. Raises ProdgenError if the image is not complete."""
    try:
        pixels = np.asarray(Image.open(io.BytesIO(data), formats=FORMATS))
    except _BROKEN as error:
        raise ProdgenError(f"the file is not a complete image: {error}") from None
    return pixels[..., None] if pixels.ndim == 2 else pixels
