"""Cut a product out of a photograph at the photograph's own resolution, and find reasons to doubt the cut."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from prodgen.catalog.photographs.cuts import cut_from_plain, first_cut, guided_cut
from prodgen.catalog.photographs.masks import (
    Mask,
    Pixels,
    Plane,
    border_contact,
    decontaminate,
    fitted,
    iou,
    main_pieces,
    opened,
)
from prodgen.catalog.photographs.quality import is_plausible
from prodgen.catalog.picture_files import Photograph, fault_of
from prodgen.photographs.cutters import Cutter
from prodgen.photographs.gaps import gaps
from prodgen.photographs.hangers import has_bar_above, has_hanger
from prodgen.photographs.region import METHOD, Region, main_region
from prodgen.spec.matte import level_fault, read_matte

_CUT_SIDE = 640  # longer side, in pixels, at which the cutter works
_FIRST_SIDE = 112  # longer side, in pixels, at which GrabCut works without a network's guess
_SMOOTHING = 0.005  # deviation, as a share of the longer side, of the blur that smooths the outline
_EDGE, _INSET = 1.6, 0.55
"""Width of the matte's soft edge in pixels, and the value of the blurred mask at the middle of this edge. The
edge is a little inside the outline, so that no ground shows through."""
_LEAST_COVER, _MOST_COVER = 0.03, 0.93
_MOST_UNCLEAR, _MOST_BORDER, _MOST_BORDER_LEARNT = 0.22, 0.01, 0.25
"""The last two: the largest share of the photograph's border that is product, in a picture for a shop and in
an example that a model learns from."""
_LEAST_AGREEMENT = 0.6
_FAINT = 0.35  # probability from which a hanger is looked for: networks often are unsure of hooks
_THICK, _MOST_LEFT_OUT = 0.022, 0.0075
"""Thickness of a part that may be missing as a share of the longer side; the largest share of such parts."""
_LEAST_PIECE = 0.45  # share of the product in its largest piece; a shoe of a pair has about half


@dataclass(frozen=True)
class CutOut:
    """A product without its ground."""

    rgb: Pixels  # (H, W, 3); colours at the edge are the product's own
    matte: Plane
    agreement: float | None  # IoU of the mask and a plausible cut by colour, if there is one
    doubts: tuple[str, ...]  # reasons not to trust the cut; empty for a good cut

    @cached_property
    def region(self) -> Region:
        """The product's largest region of one colour."""
        return main_region(self.rgb, self.matte)

    def region_by(self, method: int) -> Region:
        """Return the region that `main_region` finds by ``method``."""
        return self.region if method == METHOD else main_region(self.rgb, self.matte, method)


def cut_out(photograph: Photograph, cutter: Cutter, method: int = METHOD, *, example: bool = False) -> CutOut:
    """Cut the product out: by the photograph's alpha channel if it marks the product, else by the cutter.

    ``method``: the method by which a hanger is found, see `has_hanger`. From method 5 on, ground of a clear
    hue that shows through a gap is left out, and from method 6 on also other ground. ``example``: a model
    will learn from the cut-out. Then a hanger, a part that is missing, ground in a gap and a sleeve that the
    photograph's edge cuts off are no doubts: a shop cannot use such a picture, but a model learns more from
    many examples than from few that are perfect.
    """
    rgb, alpha, _ = photograph
    if alpha is not None:
        matte = _plane(alpha)
        empty = () if (matte >= 0.5).any() else ("the picture is transparent everywhere",)
        return CutOut(rgb, matte, None, empty)
    small = fitted(rgb, _CUT_SIDE)
    by_colour, probability = _cut_by_colour(small), cutter.probability(small)
    mask = by_colour if probability is None else guided_cut(small, probability)
    agreement = float(iou(mask, by_colour)) if is_plausible(by_colour) else None
    doubts = _doubts(mask, probability, agreement, _MOST_BORDER_LEARNT if example else _MOST_BORDER)
    if method > 4:
        if not example and probability is not None and _left_out(mask, probability) > _MOST_LEFT_OUT:
            doubts.append("a part of the product may be missing")
        found = gaps(small, mask, probability if method > 5 else None)
        mask = mask & ~found.mask
        if found.doubtful and not example:
            doubts.append("ground may show through a gap of the product")
    matte = _matte(mask, rgb)
    if not example and _hangs(small, mask, probability, method):
        doubts.append("a hanger is left at the top; mark it in a mask")
    return CutOut(decontaminate(rgb, matte), matte, agreement, tuple(doubts))


def cut_out_by(photograph: Photograph, matte: bytes) -> CutOut:
    """Cut the product out by the bytes of a matte's file. The cut is trusted: a person has seen the matte.

    Pixels that are transparent in the photograph stay transparent. A matte that cannot be read marks no
    product. If the matte has a fault, the fault is the cut-out's doubt.
    """
    try:
        levels = read_matte(matte)
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises nearly any type for a broken file
        nothing = np.zeros(photograph.rgb.shape[:2], np.float32)
        return CutOut(photograph.rgb, nothing, None, (f"the matte cannot be read: {fault_of(error)}",))
    fault = level_fault(levels)
    doubts = (f"the matte {fault}",) if fault else ()
    shown = np.asarray(levels.resize(photograph.rgb.shape[1::-1], Image.Resampling.LANCZOS))
    if photograph.alpha is not None:
        return CutOut(photograph.rgb, _plane(np.minimum(shown, photograph.alpha)), None, doubts)
    return CutOut(decontaminate(photograph.rgb, _plane(shown)), _plane(shown), None, doubts)


def _plane(levels: NDArray[np.uint8]) -> Plane:
    return levels.astype(np.float32) / np.float32(255)


def _cut_by_colour(rgb: Pixels) -> Mask:
    """Return the product's mask (H, W): by colour on a plain ground, else by GrabCut."""
    plain = cut_from_plain(rgb)
    if plain is not None:
        return plain
    scale = _FIRST_SIDE / max(rgb.shape)
    size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
    mask = first_cut(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)).astype(np.float32)
    return cv2.resize(mask, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR) > 0.5


def _matte(mask: Mask, rgb: Pixels) -> Plane:
    """Return the matte of a mask at the size of ``rgb``, with the smooth outline of a clipping path.

    A matte that followed the photograph's pixels more closely would include hairs of a rug below the product.
    """
    sigma = _SMOOTHING * max(mask.shape)
    blurred = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma)
    large = cv2.resize(blurred, rgb.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    slope = sigma * np.sqrt(2 * np.pi) * max(rgb.shape) / max(mask.shape) / _EDGE
    return np.clip((large - _INSET) * slope + 0.5, 0, 1).astype(np.float32)


def _hangs(rgb: Pixels, mask: Mask, probability: Plane | None, method: int) -> bool:
    """Return whether a product, (H, W, 3) bytes with its mask (H, W), is cut out with its hanger.

    ``probability`` (H, W): the network's guess, if there is one, which still shows the hooks that
    `guided_cut` removes. From method 6 on, faint hooks and the gap below a bar are found, too.
    """
    if probability is None:
        return bool(mask.any()) and has_hanger(rgb, mask, method)
    chances = (0.5,) if method < 6 else (0.5, _FAINT)
    shown = [main_pieces(probability > chance) for chance in chances]
    hangs = any(one.any() and has_hanger(rgb, one, method) for one in shown)
    return hangs or (method > 5 and has_bar_above(mask))


def _left_out(mask: Mask, probability: Plane) -> float:
    """Return the area of thick parts outside a mask that may be product, as a share of the mask's area."""
    side = max(3, round(_THICK * max(mask.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return float(opened((probability > 0.08) & (probability < 0.6) & ~mask, disc).sum() / max(1, mask.sum()))


def _doubts(mask: Mask, probability: Plane | None, agreement: float | None, most_border: float) -> list[str]:
    cover = float(mask.mean())
    if not cover:
        return ["no product was found"]
    unclear = 0.0
    if probability is not None:
        unclear = float(((probability > 0.1) & (probability < 0.9)).sum() / mask.sum())
    largest = float(main_pieces(mask).sum() / mask.sum())
    agreed = 1.0 if agreement is None else agreement
    checks = (
        (cover < _LEAST_COVER, f"the product covers only {cover:.0%} of the photograph"),
        (cover > _MOST_COVER, f"the product covers {cover:.0%} of the photograph"),
        (border_contact(mask) > most_border, "the photograph's edge cuts the product off"),
        (unclear > _MOST_UNCLEAR, "the product's outline is not clear"),
        (largest < _LEAST_PIECE, "the product is in many pieces"),
        (agreed < _LEAST_AGREEMENT, f"two cuts agree in only {agreed:.0%} of the area"),
    )
    return [sentence for failed, sentence in checks if failed]
