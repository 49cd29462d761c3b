"""Checks of files that are read as pictures, and the value that keeps a product's own colour or material."""

import io
import re
from contextlib import suppress
from pathlib import Path
from typing import IO

from PIL import ExifTags, Image, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
"""The formats that Pillow may open, by Pillow's names. Some other formats are a risk, because Pillow starts
programs for them (Ghostscript for EPS), even if the file's name ends otherwise."""
MAX_PIXELS = 100_000_000
SMALLEST_SWATCH = 64
"""Least width and height, in pixels, of the picture of a material."""
LONGEST_SWATCH = 16
"""The greatest ratio of the longer to the shorter side of the picture of a material."""
TOGETHER, MOST_TOGETHER = "+", 6
"""The character between the photographs of one picture, and the most products that a picture shows."""
ORIGINAL = "original"
"""The value of ``colour`` and ``material`` that leaves the product's colour or material unchanged."""
_LYING = 5
"""From this EXIF orientation on, the file's width is the upright picture's height."""
TAIL = 64 << 10
"""How many last bytes of a file are searched for the picture's end. Some programs add text after that end."""
_END_OF_JPEG, _START_OF_SCAN = b"\xff\xd9", 0xDA
_MOST_SEGMENTS = 10_000
"""The most parts of a JPEG's header that are read. Real headers have a few dozen."""
_FILE_NAME = re.compile(r".+\.[A-Za-z]{3,4}", re.DOTALL)
_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """Return whether ``text`` is a sha256 in hexadecimal. Orders name uploaded files by their sha256."""
    return bool(_DIGEST.fullmatch(text))


def photos_of(photo: str) -> list[str]:
    """Split ``photo`` at `TOGETHER`; return the digests of the photographs for one picture."""
    return photo.split(TOGETHER)


def is_file_name(text: str) -> bool:
    """Return whether ``text`` ends with a dot and 3 or 4 letters. No scene and no colour ends like that."""
    return bool(_FILE_NAME.fullmatch(text))


def picture_size(file: Path | IO[bytes]) -> tuple[int, int] | None:
    """Return (width, height) of a picture, turned upright by its EXIF; None if Pillow cannot read them.

    ``file`` may hold only the first bytes of the picture's file.
    """
    try:
        with Image.open(file, formats=FORMATS) as image:
            width, height = image.size
            # Pillow decodes a whole PNG to look for EXIF behind the pixels.
            if image.format != "PNG" or "exif" in image.info:
                with suppress(OSError, SyntaxError, ValueError):
                    if image.getexif().get(ExifTags.Base.Orientation, 1) >= _LYING:
                        return height, width
            return width, height
    except Image.DecompressionBombError:
        return MAX_PIXELS, MAX_PIXELS
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return None


def picture_type(data: bytes) -> str | None:
    """Return the MIME type of a picture file that begins with ``data``, or None if it is no picture."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return image.get_format_mimetype()
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError):
        return None


def picture_fault(data: bytes) -> str | None:
    """Return why a file that begins with ``data`` is not a usable picture, or None if it seems usable."""
    size = picture_size(io.BytesIO(data))
    if size is None:
        return "is no picture (JPEG, PNG, WebP, GIF, BMP, TIFF, PPM or AVIF)"
    if size[0] * size[1] > MAX_PIXELS:
        return f"has more than {MAX_PIXELS:,} pixels; make it smaller"
    return None


def end_fault(data: bytes, tail: bytes | None = None, size: int | None = None) -> str | None:
    """Return why a picture file is cut short, or None if it seems complete. Checks JPEG, PNG and WebP.

    ``data`` is the whole file, or its first bytes. In the second case, ``tail`` must be the file's last bytes
    and ``size`` its number of bytes.
    """
    if data.startswith(b"\xff\xd8"):
        whole = _END_OF_JPEG in tail if tail is not None else data.find(_END_OF_JPEG, _pixels_of(data)) >= 0
    elif data.startswith(b"\x89PNG"):
        whole = b"IEND" in (data if tail is None else tail)
    elif data.startswith(b"RIFF"):
        whole = 8 + int.from_bytes(data[4:8], "little") <= (len(data) if size is None else size)
    else:
        whole = True
    return None if whole else "breaks off before its end; upload the whole file"


def _pixels_of(jpeg: bytes) -> int:
    """Return the offset at which the pixels of a JPEG begin, after its header.

    Previews in the header contain the same mark of the end as the picture, so it is searched after them.
    """
    at = 2
    for _ in range(_MOST_SEGMENTS):
        if at + 4 > len(jpeg) or jpeg[at] != 0xFF or jpeg[at + 1] == _START_OF_SCAN:
            break
        filler = jpeg[at + 1] == 0xFF
        at += 1 if filler else 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return at


def swatch_fault(data: bytes) -> str | None:
    """Return why a file that begins with ``data`` cannot be the swatch of a material, or None."""
    fault, size = picture_fault(data), picture_size(io.BytesIO(data))
    if fault or size is None:
        return fault
    pixels = f"has {size[0]} x {size[1]} pixels"
    if min(size) < SMALLEST_SWATCH:
        return f"{pixels}, and a swatch needs at least {SMALLEST_SWATCH} x {SMALLEST_SWATCH}"
    if max(size) > LONGEST_SWATCH * min(size):
        return f"{pixels}, and a swatch is at most {LONGEST_SWATCH} times as long as wide; crop it"
    return None


def background_fault(data: bytes, width: int, height: int) -> str | None:
    """Return why a file that begins with ``data`` cannot be the ground of pictures of this size, or None."""
    fault, size = picture_fault(data), picture_size(io.BytesIO(data))
    if fault is None and size and (size[0] < width or size[1] < height):
        return f"has {size[0]} x {size[1]} pixels, less than the pictures' {width} x {height}"
    return fault
