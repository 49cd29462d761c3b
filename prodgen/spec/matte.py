"""Mattes that people send with photographs: white where the product is, and black elsewhere."""

import io

from PIL import Image, ImageOps

from prodgen.spec.photograph import FORMATS, TOGETHER, photos_of

MOST_PIXELS = 25_000_000
"""Mattes with more pixels are refused, because the gateway decodes every matte that it accepts."""
_PRODUCT = 128
"""The least grey level that marks the product. A matte whose levels are all lower marks no product."""

Source = tuple[str, str | None]
"""The digest of a photograph, and the digest of its matte, or None."""


def sources_of(photo: str, matte: str | None) -> list[Source]:
    """Return the digest of each photograph of one picture, with the digest of its matte or None.

    ``photo`` and ``matte`` each hold one digest, or several with ``+`` between them, in the same order. For a
    photograph without a matte, the text between two ``+`` is empty. Raises ValueError if ``matte`` has more
    or fewer places than ``photo``.
    """
    photos = photos_of(photo)
    mattes = matte.split(TOGETHER) if matte else [""] * len(photos)
    return [(one, own or None) for one, own in zip(photos, mattes, strict=True)]


def read_matte(data: bytes) -> Image.Image:
    """Return a picture file's matte as 8-bit grey: the alpha if the picture is not opaque, else the grey.

    Raises ValueError for more than `MOST_PIXELS`. Errors of Pillow are passed on.
    """
    with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
        if opened.width * opened.height > MOST_PIXELS:
            raise ValueError(f"it has more than {MOST_PIXELS:,} pixels")
        if opened.mode.startswith("I"):  # 16 bits, which Pillow's own conversion clips
            return opened.convert("I").point(lambda level: level / 257).convert("L")
        image = ImageOps.exif_transpose(opened)
    return _alpha(image) or image.convert("L")


def _alpha(image: Image.Image) -> Image.Image | None:
    """Return the alpha of a picture; None if the picture is opaque everywhere."""
    if not image.has_transparency_data:
        return None
    alpha = image.convert("RGBA").getchannel("A")
    return alpha if alpha.getextrema()[0] < 255 else None  # type: ignore[operator]  # one pair a channel


def mask_fault(data: bytes) -> str | None:
    """Return why a picture cannot be a mask of OpenAI's API, or None if it can be.

    The transparent pixels of such a mask mark what may change.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height <= MOST_PIXELS and _alpha(image) is None:
                return "has no transparent pixel; make transparent what may change"
    except MemoryError:
        raise
    except Exception:  # Pillow raises nearly any type for a broken file
        return "breaks off, or is broken in another way"
    return None


def size_fault(size: tuple[int, int], photo: tuple[int, int], side: int) -> str | None:
    """Return why a matte of this size does not fit a photograph, or None if it fits.

    A matte must have the photograph's own size, or the size to which the photograph is shrunk when it is
    read: its longer side is at most ``side`` pixels. Sizes are (width, height).
    """
    scale = min(1.0, side / max(photo))
    read = (round(photo[0] * scale), round(photo[1] * scale))
    has = f"has {size[0]} x {size[1]} pixels, and its photograph {photo[0]} x {photo[1]}"
    if size != photo and any(abs(one - other) > 1 for one, other in zip(size, read, strict=True)):
        wanted = f" or {read[0]} x {read[1]}" if scale < 1 else ""
        return f"{has}; save it with {photo[0]} x {photo[1]}{wanted} pixels"
    if size[0] * size[1] > MOST_PIXELS:
        return f"{has}; shrink it to {read[0]} x {read[1]} pixels"
    return None


def marks_product(levels: Image.Image) -> bool:
    """Return whether an 8-bit matte marks a product at one pixel or more."""
    return levels.getextrema()[1] >= _PRODUCT  # type: ignore[operator]  # one pair a channel


def file_fault(data: bytes) -> str | None:
    """Decode a matte's file. Return why it is broken or marks no product, or None if it is good."""
    try:
        levels = read_matte(data)
    except MemoryError:
        raise
    except Exception:  # Pillow raises nearly any type for a broken file
        return "breaks off, or is broken in another way"
    return level_fault(levels)


def level_fault(levels: Image.Image) -> str | None:
    """Return why an 8-bit matte marks no product or the whole photograph, or None if it is good."""
    if not marks_product(levels):
        return "marks no product: nothing in it is white, or opaque"
    if levels.getextrema()[0] >= _PRODUCT:  # type: ignore[operator]  # one channel has one pair
        return "marks the whole photograph: nothing in it is black, or transparent"
    return None
