"""Cut products out as a person has marked them in files beside the photograph.

A mask marks what is taken out: labels and pins on the product, hangers beside it. A matte marks the product.
"""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from prodgen.catalog.photographs.masks import Mask
from prodgen.catalog.picture_files import Photograph, decode, fault_of
from prodgen.errors import ProdgenError
from prodgen.photographs.cutout import CutOut, cut_out, cut_out_by
from prodgen.photographs.cutters import Cutter
from prodgen.photographs.region import METHOD
from prodgen.spec.matte import size_fault
from prodgen.spec.photograph import picture_fault, picture_size

MASK, MATTE = ".mask.png", ".matte.png"
"""The ends of the names of masks and mattes: ``shirt.mask.png`` marks in white what is taken out of
``shirt.jpg``, and ``shirt.matte.png`` marks the product in white."""
_REACH = 4  # radius, in pixels, of the painting over; a larger radius takes long and looks no better
_GROWN = 0.004  # width, as a share of the longer side, by which marks grow, because they are rarely exact
_RING = 0.015  # width, as a share of the longer side, of the ring around a mark that is looked at
_ENCLOSED = 0.9  # share of the ring that is product if the mark lies on the product


def beside(path: Path, ending: str) -> Path | None:
    """Return the mask or the matte beside a photograph, by the end of its name; None if there is none."""
    file = path.with_name(path.stem + ending)
    return file if file.is_file() else None


def cut_out_marked(
    photograph: Photograph,
    cutter: Cutter,
    mask: Path | None = None,
    matte: Path | None = None,
    method: int = METHOD,
) -> CutOut:
    """Cut the product out by the file ``matte``, or else by the cutter, without what the file ``mask`` marks.

    A mark on the product is painted over with the colours around the mark (Telea 2004). A mark at the
    product's edge or beside the product becomes ground. Raises ProdgenError for a mask that cannot be read,
    or whose ratio of width to height is not that of the photograph, and for a matte of another size.
    ``method``: see `cut_out`.
    """
    own = _matte(matte, photograph) if matte else None

    def cut_out_of(shown: Photograph) -> CutOut:
        return cut_out_by(shown, own) if own else cut_out(shown, cutter, method)

    if mask is None:
        return cut_out_of(photograph)
    marked = _read(mask, photograph.rgb.shape[1::-1])
    painted = cv2.inpaint(photograph.rgb, marked.astype(np.uint8), _REACH, cv2.INPAINT_TELEA)
    cut = cut_out_of(photograph._replace(rgb=painted))
    ground = cv2.GaussianBlur(_beside(marked, cut.matte >= 0.5).astype(np.float32), (0, 0), 1)
    left = cut.matte * (1 - ground)
    doubts = cut.doubts if (left >= 0.5).any() else (*cut.doubts, "its mask leaves nothing of the product")
    return replace(cut, matte=left, doubts=doubts)


def _matte(path: Path, photograph: Photograph) -> bytes:
    """Return the bytes of a matte's file; raises ProdgenError if they are no matte of this photograph."""
    data = path.read_bytes()
    size = picture_size(path)
    fault = picture_fault(data)
    if not fault and size:
        height, width, _ = photograph.rgb.shape
        own = sorted(photograph.size, reverse=width > height)  # upright, as the pixels are
        fault = size_fault(size, (own[0], own[1]), max(height, width))
    if fault:
        raise ProdgenError(f"its matte {path.name} {fault}")
    return data


def _read(mask: Path, size: tuple[int, int]) -> Mask:
    """Return the marks of a mask, a little larger, at the ``size`` (width, height) of the photograph."""
    try:
        found = decode(mask, max(size))
    except Exception as error:  # Pillow raises nearly any type for a broken file
        raise ProdgenError(f"its mask {mask.name} cannot be read: {fault_of(error)}") from None
    white = found.rgb[..., 0]
    if found.alpha is not None:  # programs write any colour where a mask is transparent
        white = np.minimum(white, found.alpha)
    if abs(white.shape[0] * size[0] / (white.shape[1] * size[1]) - 1) > 0.01:
        shapes = f"{white.shape[1]} x {white.shape[0]} pixels, the photograph {size[0]} x {size[1]}"
        raise ProdgenError(f"its mask {mask.name} has {shapes}; save the mask in the photograph's shape")
    white = cv2.resize(white, size, interpolation=cv2.INTER_LINEAR)
    return _grown(white > 127, _GROWN)


def _beside(marked: Mask, product: Mask) -> Mask:
    """Return the marks that do not lie on the product."""
    count, labels = cv2.connectedComponents(marked.astype(np.uint8))
    beside = np.zeros_like(marked)
    for label in range(1, count):
        mark = labels == label
        ring = _grown(mark, _RING) & ~marked
        if ring.any() and product[ring].mean() < _ENCLOSED:
            beside |= mark
    return beside


def _grown(mask: Mask, share: float) -> Mask:
    width = 2 * max(1, round(share * max(mask.shape))) + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((width, width), np.uint8)).astype(bool)
