"""The first pass over a folder: cut each picture alone, then learn from the plausible cuts."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from prodgen.catalog.photographs.decode import decode_or_fault
from prodgen.catalog.photographs.grabcut import first_cut
from prodgen.catalog.photographs.masks import Mask
from prodgen.catalog.photographs.plain_background import cut_from_plain
from prodgen.catalog.photographs.process_pool import Report, map_in_processes
from prodgen.catalog.photographs.quality import is_plausible
from prodgen.catalog.photographs.thumbnail import THUMBNAIL, to_thumbnail

MIN_EXAMPLES, MAX_EXAMPLES = 200, 5000
"""Plausible cuts that a segmenter needs, and the most that it is trained on: more improve it little."""
_STAGES = "Reading the pictures", "Learning what products look like", "Finding the product in each picture"
_SIDE = 112  # longer side, in pixels, at which the first cut is made


class FirstCut(NamedTuple):
    """The first cut of a picture.

    ``thumbnail`` is (THUMBNAIL, THUMBNAIL, 3) bytes and ``mask`` (THUMBNAIL, THUMBNAIL), 255 for product.
    """

    sha256: str
    thumbnail: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    plausible: bool


def cut_alone(path: Path) -> FirstCut | str:
    """Cut a picture without knowledge of other pictures, or return a description of why it cannot be read."""
    decoded = decode_or_fault(path, _SIDE)
    if isinstance(decoded, str):
        return decoded
    sha256, (rgb, alpha, _) = decoded
    mask: Mask | None = alpha > 127 if alpha is not None else cut_from_plain(rgb)
    mask = first_cut(rgb) if mask is None else mask
    return FirstCut(sha256, to_thumbnail(rgb), to_thumbnail(mask * np.uint8(255)), is_plausible(mask))


class FirstPass:
    """The first cuts of N pictures.

    ``faults`` maps the rows of unreadable pictures to a description of the fault, and ``sha256s`` the rows of
    other pictures to the digest of the file. ``masks`` is (N, THUMBNAIL, THUMBNAIL) bytes, memory-mapped from
    a file in ``folder``.
    """

    def __init__(self, paths: Sequence[Path], folder: Path, report: Report) -> None:
        self._folder, self._report = folder, report
        shape = (len(paths), THUMBNAIL, THUMBNAIL)
        self._thumbnails = open_memmap(folder / "thumbnails.npy", "w+", np.uint8, (*shape, 3))
        self.masks = open_memmap(folder / "masks.npy", "w+", np.uint8, shape)
        self.faults: dict[int, str] = {}
        self.sha256s: dict[int, str] = {}
        self._plausible: list[int] = []
        for row, cut in enumerate(map_in_processes(cut_alone, paths, _STAGES[0], report)):
            if isinstance(cut, str):
                self.faults[row] = cut
                continue
            self.sha256s[row] = cut.sha256
            self._thumbnails[row], self.masks[row] = cut.thumbnail, cut.mask
            if cut.plausible:
                self._plausible.append(row)

    def product_probabilities(self) -> NDArray[np.uint8] | None:
        """Train a segmenter on the plausible cuts and return its probabilities for all pictures.

        They are (N, THUMBNAIL, THUMBNAIL) bytes, 255 for certain product; None with too few plausible cuts.
        """
        if len(self._plausible) < MIN_EXAMPLES:
            return None
        from prodgen.catalog.photographs import segmenter  # imports torch, which the pool does without

        rows = np.array(self._plausible)
        if len(rows) > MAX_EXAMPLES:
            rows = np.sort(np.random.default_rng(0).choice(rows, MAX_EXAMPLES, replace=False))
        network = segmenter.train(
            self._thumbnails[rows], self.masks[rows], lambda *counts: self._report(_STAGES[1], *counts)
        )
        found = open_memmap(self._folder / "probabilities.npy", "w+", np.uint8, self.masks.shape)
        segmenter.predict(network, self._thumbnails, found, lambda *counts: self._report(_STAGES[2], *counts))
        return found
