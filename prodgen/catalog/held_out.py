"""Hold pictures out of training as a test split, for a folder that names no splits."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Sequence

from prodgen.catalog.listing import Picture

MIN_TEST_IMAGES = 10
"""Least images of a test split: the Inception Score needs ten parts, a manifold more than five neighbours."""
_SHARE = 10
"""About one picture in this number of pictures is held out."""
_MIN_WITH_VALUE = 10
"""A picture is held out only if each of its attribute values has at least this many pictures."""


def hold_out(pictures: Sequence[Picture]) -> list[Picture]:
    """Return the pictures with their splits: about one in ten is ``test``, the others are ``train``.

    The digest of a picture's path decides, so a picture stays in its split when other pictures come or go.
    All are ``train`` if fewer than `MIN_TEST_IMAGES` would be ``test``.
    """
    counts = Counter(pair for picture in pictures for pair in picture.known.items())
    held = {
        picture.file
        for picture in pictures
        if _is_chosen(picture.file) and all(counts[pair] >= _MIN_WITH_VALUE for pair in picture.known.items())
    }
    if len(held) < MIN_TEST_IMAGES:
        held = set()
    return [picture._replace(split="test" if picture.file in held else "train") for picture in pictures]


def _is_chosen(file: str) -> bool:
    # Some file systems decompose the accents of a name, others compose them.
    name = unicodedata.normalize("NFC", file).encode(errors="surrogateescape")
    return int.from_bytes(hashlib.sha256(name).digest()) % _SHARE == 0
