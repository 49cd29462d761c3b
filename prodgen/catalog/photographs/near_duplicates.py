"""Find pictures that differ only in size, compression or a little light."""

from collections.abc import Mapping

import numpy as np

from prodgen.catalog.photographs.measure import LUMINANCE_SIDE, Measurements

_MAX_BITS = 12  # most bits, of 64, in which the hashes of near-duplicates differ
_MIN_CORRELATION, _MAX_CHROMA = 0.99, 5.0
"""Least correlation of luminance and largest distance of mean chroma: many shirts lie on the same bed, and a
shirt comes in several colours."""
_BATCH = 2048


def near_duplicates(measurements: Mapping[int, Measurements]) -> list[tuple[int, int]]:
    """Return pairs of rows (earlier, later) of near-duplicates, given the measurements of rows in order."""
    if not measurements:
        return []
    rows = np.array(list(measurements))
    hashes = np.array([measurements[k].hash for k in rows], np.uint64)
    chroma = np.array([measurements[k].chroma for k in rows])
    pairs = []
    for start in range(0, len(rows), _BATCH):
        batch = slice(start, start + _BATCH)
        near = np.bitwise_count(hashes[batch, None] ^ hashes) <= _MAX_BITS
        near &= np.arange(start, start + len(near))[:, None] < np.arange(len(rows))
        first, second = np.nonzero(near)
        close = np.linalg.norm(chroma[first + start] - chroma[second], axis=1) <= _MAX_CHROMA
        candidates = zip(rows[first[close] + start].tolist(), rows[second[close]].tolist(), strict=True)
        pairs += [pair for pair in candidates if _correlation(measurements, *pair) >= _MIN_CORRELATION]
    return pairs


def _correlation(measurements: Mapping[int, Measurements], first: int, second: int) -> float:
    product = np.dot(measurements[first].luminance.ravel(), measurements[second].luminance.ravel())
    return float(product) / LUMINANCE_SIDE**2
