"""Mattes that people send with photographs: white where the product is, and black elsewhere."""

import io

from PIL import Image, ImageOps

from prodgen.spec.photograph import FORMATS, TOGETHER, photos_of

MOST_PIXELS = 25_000_000
"""Mattes with more pixels are refused, because the door decodes them: photographs are read smaller anyway."""
_PRODUCT = 128
"""The least level that marks a product: a matte without it marks none."""

Source = tuple[str, str | None]
"""The digest of a photograph, and that of its matte if it has one."""


def sources_of(photo: str, matte: str | None) -> list[Source]:
    """Return the photographs of one picture, each with its matte.

    Several mattes have ``+`` between them, as the photographs have; the place of a photograph without a matte
    is empty. Raises ValueError if their numbers differ.
    """
    photos = photos_of(photo)
    mattes = matte.split(TOGETHER) if matte else [""] * len(photos)
    return [(one, own or None) for one, own in zip(photos, mattes, strict=True)]


def read_matte(data: bytes) -> Image.Image:
    """Return the matte of a picture file as 8 bits of grey: its alpha if that marks something, else its grey.

    Raises ValueError for more than `MOST_PIXELS`, and any error of Pillow for a file that Pillow cannot read.
    """
    with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
        if opened.width * opened.height > MOST_PIXELS:
            raise ValueError(f"it has more than {MOST_PIXELS:,} pixels")
        if opened.mode.startswith("I"):  # 16 bits, which Pillow's own conversion clips
            return opened.convert("I").point(lambda level: level / 257).convert("L")
        image = ImageOps.exif_transpose(opened)
    return _alpha(image) or image.convert("L")


def _alpha(image: Image.Image) -> Image.Image | None:
    """Return the alpha of a picture that is not opaque everywhere."""
    if not image.has_transparency_data:
        return None
    alpha = image.convert("RGBA").getchannel("A")
    return alpha if alpha.getextrema()[0] < 255 else None  # type: ignore[operator]  # one pair a channel


def mask_fault(data: bytes) -> str | None:
    """Return why a picture cannot be a mask, in which OpenAI's API changes what is transparent, or None."""
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
    """Return why a matte of this size is none of a photograph, or None.

    A matte has the photograph's size, or the size at which the photograph is read, whose longer side is at
    most ``side`` pixels. Sizes are (width, height).
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
    """Return whether a matte of 8 bits marks a product."""
    return levels.getextrema()[1] >= _PRODUCT  # type: ignore[operator]  # one pair a channel


def file_fault(data: bytes) -> str | None:
    """Return why a matte's file marks no product, or None. Decodes the file."""
    try:
        levels = read_matte(data)
    except MemoryError:
        raise
    except Exception:  # Pillow raises nearly any type for a broken file
        return "breaks off, or is broken in another way"
    return level_fault(levels)


def level_fault(levels: Image.Image) -> str | None:
    """Return why the levels of a matte mark no product, or None."""
    if not marks_product(levels):
        return "marks no product: nothing in it is white, or opaque"
    if levels.getextrema()[0] >= _PRODUCT:  # type: ignore[operator]  # one channel has one pair
        return "marks the whole photograph: nothing in it is black, or transparent"
    return None
