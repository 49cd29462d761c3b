"""The first look at all pictures of a folder, and what the good cuts among them teach about the rest."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from prodgen.catalog.photographs.first import first_look
from prodgen.catalog.photographs.pool import spread
from prodgen.catalog.photographs.thumb import THUMB

LOOKING, LEARNING, FINDING = "Looking at the pictures", "Learning what they show", "Finding it in each"
ENOUGH = 200
"""Good first cuts that it takes to learn from."""
MOST = 5000
"""Of them that are learnt from; more teach little more."""

Report = Callable[[str, int, int], None]
"""Hears (what is being done, done, total)."""


class Looks:
    """Of N pictures. ``faults``: why each cannot be read, or None; ``hashes``: the SHA-256 of each file.

    ``masks``: the first cuts, (N, THUMB, THUMB) bytes. All that is large is kept in files in ``room``: there
    may be more of it than memory.
    """

    def __init__(self, paths: Sequence[Path], room: Path, report: Report) -> None:
        self._room = room
        self._thumbs = open_memmap(room / "thumbs.npy", "w+", np.uint8, (len(paths), THUMB, THUMB, 3))
        self.masks = open_memmap(room / "masks.npy", "w+", np.uint8, (len(paths), THUMB, THUMB))
        self.faults: list[str | None] = []
        self.hashes: list[str] = []
        self._instructive: list[int] = []
        for row, look in enumerate(spread(first_look, paths)):
            self.faults.append(look.fault)
            self.hashes.append(look.sha256)
            if look.fault is None:
                self._thumbs[row], self.masks[row] = look.thumb, look.mask
            if look.instructive:
                self._instructive.append(row)
            report(LOOKING, row + 1, len(paths))

    def likely(self, report: Report) -> NDArray[np.uint8] | None:
        """How likely each pixel is product, (N, THUMB, THUMB) bytes; None if too few cuts are good."""
        if len(self._instructive) < ENOUGH:
            return None
        from prodgen.catalog.photographs import consensus  # torch, which processes that cut need not have

        rows = np.array(self._instructive)
        if len(rows) > MOST:
            rows = np.sort(np.random.default_rng(0).choice(rows, MOST, replace=False))
        network = consensus.learn(
            self._thumbs[rows], self.masks[rows], lambda done, total: report(LEARNING, done, total)
        )
        found = open_memmap(self._room / "likely.npy", "w+", np.uint8, self.masks.shape)
        consensus.predict(network, self._thumbs, found, lambda done, total: report(FINDING, done, total))
        return found
