"""Learn the product's matte and its main colour's region from a photograph once, and store them as one PNG.

The PNG has two channels, the matte and the region. A process that learns them also rounds them to 256 levels,
so that it makes the same pictures as a process that reads the PNG.
"""

import io
import json
from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from prodgen.catalog.photographs.masks import Pixels, Plane, decontaminate
from prodgen.catalog.picture_files import Photograph, decode, fault_of
from prodgen.errors import ProdgenError
from prodgen.photographs.colour_doubts import doubts_about_colour, is_patterned
from prodgen.photographs.cutout import CutOut
from prodgen.photographs.region import METHOD

_TEXT = "prodgen"


class Learnt(NamedTuple):
    """The matte and the region of a photograph, (H, W) bytes, or (1, 1) zeros if no product was found.

    ``doubts`` says why the cut-out is not trusted. ``colour_doubt`` says why the product cannot be recoloured
    well, or is None. ``patterned``: whether the product has a pattern, as in `is_patterned`.
    """

    matte: NDArray[np.uint8]
    region: NDArray[np.uint8]
    doubts: tuple[str, ...]
    colour_doubt: str | None
    patterned: bool = False

    @property
    def has_product(self) -> bool:
        """Whether a product was found in the photograph."""
        return bool((self.matte >= 128).any())

    def planes(self, photograph: Photograph) -> tuple[Pixels, Plane, Plane]:
        """Return the colours of the photograph's product (H, W, 3), its matte and its region (H, W)."""
        matte, region = (plane.astype(np.float32) / np.float32(255) for plane in (self.matte, self.region))
        rgb = photograph.rgb if photograph.alpha is not None else decontaminate(photograph.rgb, matte)
        return rgb, matte, region

    def to_png(self) -> bytes:
        """Return the matte, the region and the doubts as the bytes of a PNG."""
        about = PngImagePlugin.PngInfo()
        told = {"doubts": self.doubts, "colour_doubt": self.colour_doubt, "patterned": self.patterned}
        about.add_itxt(_TEXT, json.dumps(told))
        buffer = io.BytesIO()
        image = Image.fromarray(np.dstack([self.matte, self.region]))
        image.save(buffer, "PNG", pnginfo=about, compress_level=1)
        return buffer.getvalue()

    @classmethod
    def from_png(cls, data: bytes) -> Self:
        """Read the bytes that `to_png` has made; raises ProdgenError for other bytes."""
        try:
            with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
                planes = np.asarray(image)
                about = json.loads(image.info[_TEXT])
            doubt = about["colour_doubt"]
            patterned = about.get("patterned", doubt is not None)  # earlier versions had no such field
            return cls(planes[..., 0], planes[..., 1], tuple(about["doubts"]), doubt, patterned)
        except (OSError, SyntaxError, ValueError, KeyError, IndexError, TypeError) as error:
            raise ProdgenError(f"this is no stored cut-out: {error}") from None


def learn(data: bytes, cut_out: Callable[[Photograph], CutOut], side: int, method: int = METHOD) -> Learnt:
    """Cut the product of a photograph's file out, and find the region of its main colour.

    ``side``: the longer side, in pixels, to which a larger photograph is shrunk. ``method``: see
    `main_region`. A file that cannot be read gives a result without a product, with the reason as its doubt.
    """
    photograph = read_photograph(data, side)
    if isinstance(photograph, str):
        return _nothing(f"the photograph cannot be read: {photograph}")
    cut = cut_out(photograph)
    matte = _to_bytes(cut.matte)
    if not (matte >= 128).any():
        return _nothing(*(cut.doubts or ("no product was found",)))
    region = cut.region_by(method)
    doubt, patterned = doubts_about_colour(region, method), is_patterned(region, method)
    return Learnt(matte, _to_bytes(region.weight), cut.doubts, doubt, patterned)


def read_photograph(data: bytes, side: int) -> Photograph | str:
    """Return the photograph in a file, at most ``side`` pixels long, or why the file cannot be read."""
    try:
        return decode(io.BytesIO(data), side)
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises nearly any type for a broken file
        return fault_of(error)


def _nothing(*doubts: str) -> Learnt:
    empty = np.zeros((1, 1), np.uint8)
    return Learnt(empty, empty, doubts, None)


def _to_bytes(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
    return (plane * 255).round().astype(np.uint8)
