"""The Merkle root of a job's images: one digest that changes if any image or manifest line changes.

A leaf is a manifest line without the fields that say where the image is (`PLACE`), so that the root of a
download is that of the job. The tree is RFC 6962's, with SHA-256.
"""

import re
from collections.abc import Iterable
from hashlib import sha256

from prodgen.spec.manifest import ManifestLine

PLACE = {"file", "frame", "object", "offset", "length"}
_PLACE = re.compile(
    rb',"file":"[^"]*"(,"sha256":"[0-9a-f]{64}"),"object":"[^"]*"(?:,"offset":\d+,"length":\d+)?\}\n'
)
"""The end of a line in the store."""


class MerkleTree:
    """The tree of the leaves that were added so far. It keeps one digest for each level."""

    def __init__(self) -> None:
        self._whole: list[tuple[int, bytes]] = []
        """The level and the digest of each complete sub-tree, from left to right."""

    def add(self, leaf: bytes) -> None:
        """Append a leaf."""
        level, digest = 0, sha256(b"\0" + leaf).digest()
        while self._whole and self._whole[-1][0] == level:
            digest = sha256(b"\1" + self._whole.pop()[1] + digest).digest()
            level += 1
        self._whole.append((level, digest))

    def root(self) -> str:
        """Return the root in hexadecimal; that of no leaf is the digest of nothing."""
        if not self._whole:
            return sha256().hexdigest()
        *others, (_, digest) = self._whole
        for _, left in reversed(others):
            digest = sha256(b"\1" + left + digest).digest()
        return digest.hex()


def leaf(line: ManifestLine) -> bytes:
    """Return the leaf of an image."""
    return line.model_dump_json(exclude_none=True, exclude=PLACE).encode()


def stored_leaves(manifest: bytes) -> list[bytes]:
    """Return the leaves of a manifest in the store, in a third of the time that parsing takes.

    A line that no worker of prodgen has written is a leaf as it is.
    """
    return _PLACE.sub(rb"\1}\n", manifest).rstrip(b"\n").split(b"\n")


def root_of(lines: Iterable[ManifestLine]) -> str:
    """Return the root of images in the order of their index."""
    tree = MerkleTree()
    for line in lines:
        tree.add(leaf(line))
    return tree.root()
