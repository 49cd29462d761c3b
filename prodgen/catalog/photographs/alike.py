"""Pictures that are the same but for size, quality or a little light."""

from collections.abc import Sequence

import numpy as np

from prodgen.catalog.photographs.measure import BLANK, SMALL, Measures

_BITS = 12
"""Of the 64 of a hash: no more may differ."""
_CORRELATION, _TINT = 0.99, 5.0
"""Of the light of the two pictures, at least; between their mean a and b, at most. Many a shirt lies on the
same bed, and many a shirt comes in several colours."""
_AT_ONCE = 2048


def alike(measures: Sequence[Measures]) -> list[tuple[int, int]]:
    """Pairs of rows (earlier, later) of near-duplicates; rows that cannot be read are like none."""
    rows = np.array([k for k, m in enumerate(measures) if m.fault is None and m.contrast >= BLANK], int)
    if not len(rows):
        return []
    hashes = np.array([measures[k].hash for k in rows], np.uint64)
    tints = np.array([measures[k].tint for k in rows])
    pairs = []
    for start in range(0, len(rows), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        near = np.bitwise_count(hashes[part, None] ^ hashes) <= _BITS
        near &= np.arange(start, start + len(near))[:, None] < np.arange(len(rows))
        first, second = np.nonzero(near)
        tinted = np.linalg.norm(tints[first + start] - tints[second], axis=1) <= _TINT
        candidates = zip(rows[first[tinted] + start].tolist(), rows[second[tinted]].tolist(), strict=True)
        pairs += [pair for pair in candidates if _correlation(measures, *pair) >= _CORRELATION]
    return pairs


def _correlation(measures: Sequence[Measures], first: int, second: int) -> float:
    return float(np.dot(measures[first].small.ravel(), measures[second].small.ravel())) / SMALL**2
