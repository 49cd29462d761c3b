"""Mend a picture for a marketplace, as far as the product itself stays as it is."""

import re
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from prodgen.catalog.photographs.cuts import cut_from_plain
from prodgen.catalog.photographs.masks import Mask, Pixels, bounding_box, fitted
from prodgen.catalog.picture_files import decode
from prodgen.errors import ProdgenError
from prodgen.generation.encode import format_of
from prodgen.photographs.batch import Names
from prodgen.photographs.check import (
    PRODUCT_SIDE,
    SIDE,
    Finding,
    certain_ground,
    check_file,
    name_findings,
    unreadable,
)
from prodgen.photographs.edit import encode
from prodgen.photographs.presets import Preset
from prodgen.spec.colour import levels
from prodgen.spec.finish import extension
from prodgen.spec.provenance import read_xmp

_NEARLY = 16  # largest difference, in levels of 255, of a pixel that becomes the ground's colour
_SEAM, _SEAMS = 3, 0.003  # levels of 255 that a seam differs by, and the share of such pixels in no ground
_EVEN = 2  # largest difference, in levels of 255, within a border of one colour
_WRITTEN = ("jpeg", "png", "webp")  # formats that stay as they are
_FRAME = {"fill", "centring", "shape"}
"""Rules for which a picture is cropped, or gets more ground around it."""
_PRODUCT = re.compile(r"(?<![0-9A-Z])(B0[0-9A-Z]{8}|[0-9]{12,13})(?![0-9A-Z])")
"""An ASIN, or the number of a barcode, within a name."""


class Mended(NamedTuple):
    """The bytes of a mended copy, and the rules that it still breaks."""

    data: bytes
    findings: list[Finding]


def mend_picture(data: bytes, preset: Preset) -> Mended:
    """Return a copy of a picture file that breaks fewer rules, and keeps the XMP marks.

    Nearly white ground becomes exactly white, the product comes to the middle at the right share of the
    frame, and colours, format and weight become those of the preset. The product's pixels are neither scaled
    nor painted, and a ground that is not smooth stays. A picture that cannot be mended, or that breaks no
    rule, is returned as it is.
    """
    found = check_file(data, preset)
    broken = {finding.rule for finding in found}
    if not broken & {*_FRAME, "ground", "colours", "format", "weight"}:
        return Mended(data, found)
    rgb = before = decode(BytesIO(data), SIDE).on_white()
    product = _product(rgb) if broken & {*_FRAME, "ground"} else None
    if product is not None and _is_smooth(rgb, product):
        if preset.ground:
            rgb = _with_ground(rgb, product, np.array(levels(preset.ground), np.uint8))
        if broken & _FRAME:
            rgb = _framed(rgb, product, preset)
    with Image.open(BytesIO(data)) as image:
        format = (image.format or "").lower()
    format = format if format in _WRITTEN and format in preset.formats else preset.format
    try:
        mended = encode(Image.fromarray(rgb), format, read_xmp(BytesIO(data)), preset.most_bytes)
    except ProdgenError:  # it is too heavy in any quality
        return Mended(data, found)
    left = check_file(mended, preset)
    better = len(left) < len(found) or (rgb is not before and {finding.rule for finding in left} <= broken)
    return Mended(mended, left) if better else Mended(data, found)


def mended_name(name: str, format: str, preset: Preset) -> str:
    """Return the name for a mended copy of the file ``name``: its ending is that of ``format``.

    If the marketplace has a rule for names, and ``name`` holds the number of a product, the name is that
    number, as a main image; otherwise the rest of the name stays.
    """
    ending = extension(format)
    if preset.file_name and re.fullmatch(preset.file_name, f"{Path(name).stem}.{ending}") is None:
        numbers = _PRODUCT.findall(Path(name).stem.upper())
        if len(set(numbers)) == 1:
            return f"{numbers[0]}.MAIN.{ending}"
    return f"{Path(name).stem}.{ending}"


def _product(rgb: Pixels) -> Mask | None:
    """Return the product's mask (H, W), at the picture's own resolution; None without a plain ground."""
    product = cut_from_plain(fitted(rgb, PRODUCT_SIDE))
    if product is None:
        return None
    return cv2.resize(product.astype(np.float32), rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR) > 0


def _is_smooth(rgb: Pixels, product: Mask) -> bool:
    """Return whether the ground has no seams, folds or letters.

    What has some may be a part of a white product that looks like ground.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    detail = cv2.absdiff(grey, cv2.blur(grey, (9, 9)))[certain_ground(grey.shape, product)]
    return not detail.size or bool((detail > _SEAM).mean() < _SEAMS)


def _with_ground(rgb: Pixels, product: Mask, ground: Pixels) -> Pixels:
    """Return the picture with exactly the colour ``ground`` where the ground has nearly this colour."""
    nearly = (cv2.absdiff(rgb, np.broadcast_to(ground, rgb.shape)).max(2) <= _NEARLY) & ~product
    return np.where(nearly[..., None], ground, rgb) if nearly.any() else rgb


def _framed(rgb: Pixels, product: Mask, preset: Preset) -> Pixels:
    """Return the picture, cropped or padded: the product is in the middle, with the preset's share.

    The frame is not smaller than the preset allows. A picture that would need more ground, and whose border
    is not of one colour, stays as it is.
    """
    height, width = rgb.shape[:2]
    top, left, bottom, right = bounding_box(product)
    aspect = preset.aspect or height / width
    across = max(right - left, (bottom - top) / aspect) / preset.fill
    across = max(across, min(preset.least_side, max(height, width)) / max(1, aspect))
    frame = round(across * aspect), round(across)
    upper, first = (top + bottom - frame[0]) // 2, (left + right - frame[1]) // 2
    lower, last = upper + frame[0], first + frame[1]
    lacking = max(-upper, 0), max(lower - height, 0), max(-first, 0), max(last - width, 0)
    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]]).astype(int)
    colour = np.median(border, 0)
    if any(lacking) and np.abs(border - colour).max() > _EVEN:
        return rgb
    crop = rgb[max(upper, 0) : lower, max(first, 0) : last]
    made: Pixels = np.empty((*frame, 3), np.uint8)
    made[:] = colour
    made[lacking[0] :, lacking[2] :][: len(crop), : crop.shape[1]] = crop
    return made


def mend_file(path: Path, folder: Path, preset: Preset, names: Names) -> tuple[Path, list[Finding]]:
    """Write a mended copy of a picture to a folder; return its path, and the rules that it still breaks.

    ``names``: the names that the folder has. A file that cannot be read is not copied, and ``path`` returned.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        return path, [unreadable(error)]
    mended, found = mend_picture(data, preset)
    if any(finding.rule == "file" for finding in found):
        return path, found + name_findings(path, data, preset)
    name = Path(mended_name(path.name, format_of(mended) or "", preset))
    copy = folder / f"{names.take(name.stem)}{name.suffix}"
    copy.write_bytes(mended)
    return copy, found + name_findings(copy, mended, preset)
