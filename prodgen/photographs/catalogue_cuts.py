"""Cut the products out of the photographs of a catalogue with a segmentation network."""

from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.photographs.catalogue_writer import Outcome
from prodgen.catalog.photographs.cut_out import describe, picture_side
from prodgen.catalog.photographs.prepare import CutAll
from prodgen.catalog.photographs.process_pool import Report, map_in_processes
from prodgen.catalog.photographs.quality import features_of_reliable_cut
from prodgen.catalog.picture_files import decode_or_fault
from prodgen.photographs.cutout import cut_out
from prodgen.photographs.cutters import Cutter, GrabCut, load_cutter


def choose_cutter(name: str | None = None, weights: Path | None = None) -> tuple[str, CutAll | None]:
    """Return a cutter's name and the function with which `prepare` cuts all photographs.

    The function is None for grabcut: `prepare` then learns from the photographs themselves what products
    look like. Takes the arguments of `load_cutter`, and raises the same errors.
    """
    cutter = load_cutter(name, weights)  # fetches the file once, before there are many processes
    return cutter.name, None if cutter.name == GrabCut.name else partial(_cut_all, cutter.name, weights)


def cut_photograph(size: int, cutter: Cutter, path: Path) -> tuple[Outcome, NDArray[np.uint8] | None]:
    """Cut the product out of a photograph onto a square canvas of ``size`` pixels, and describe it.

    Returns the outcome, and the canvas: (size, size, 4) premultiplied bytes, or None without a product. The
    outcome has a reason if the photograph cannot be read or if its cut-out is not trusted.
    """
    decoded = decode_or_fault(path, picture_side(size))
    if isinstance(decoded, str):
        return Outcome("", f"it cannot be read: {decoded}", 0.0, None), None
    sha256, photograph = decoded
    cut = cut_out(photograph, cutter, example=True)
    reason = "; ".join(cut.doubts) or None
    mask = cut.matte >= 0.5
    if not mask.any():
        return Outcome(sha256, reason or "no product was found", 0.0, None), None
    features = features_of_reliable_cut(mask)
    pixels, description = describe(cut.rgb, cut.matte, size, features, photograph.alpha is not None)
    quality = 0.0 if reason else 1.0 if cut.agreement is None else cut.agreement
    return Outcome(sha256, reason, quality, description), pixels


def _cut_all(
    name: str, weights: Path | None, paths: Sequence[Path], images: NDArray[np.uint8], report: Report
) -> Iterator[Outcome]:
    """Yield the outcome of each photograph in order, and write its cut-out to ``images``."""
    work = partial(_cut, images.shape[1], name, weights)
    cuts = map_in_processes(work, "Cutting the products out", report, paths)
    for row, (outcome, pixels) in enumerate(cuts):
        if pixels is not None:
            images[row] = pixels
        yield outcome


def _cut(size: int, name: str, weights: Path | None, path: Path) -> tuple[Outcome, NDArray[np.uint8] | None]:
    return cut_photograph(size, _cutter(name, weights), path)


_cutter = cache(load_cutter)
