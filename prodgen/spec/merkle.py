"""The Merkle root of a job's images: one digest that changes if any image or manifest line changes.

A leaf is a manifest line without the fields that say where the image is (`PLACE`), so that the root of a
download is that of the job. The tree is RFC 6962's, with SHA-256.
"""

import json
import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

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
        self.add_digest(leaf_digest(leaf))

    def add_digest(self, digest: bytes) -> None:
        """Append the digest of a leaf, or of a sub-tree.

        One tree takes either leaves or sub-trees. All sub-trees have the same number of leaves, a power of
        two; only the last one may have fewer.
        """
        level = 0
        while self._whole and self._whole[-1][0] == level:
            digest = _node(self._whole.pop()[1], digest)
            level += 1
        self._whole.append((level, digest))

    def digest(self) -> bytes:
        """Return the root (32 bytes). The root of a tree without leaves is the SHA-256 of an empty text."""
        if not self._whole:
            return sha256().digest()
        *others, (_, digest) = self._whole
        for _, left in reversed(others):
            digest = _node(left, digest)
        return digest

    def root(self) -> str:
        """Return the root in hexadecimal."""
        return self.digest().hex()


class InclusionProof(BaseModel, frozen=True):
    """A proof by RFC 9162 that an image is one of a job's. Its check needs no other image of the job."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    leaf: str
    """The manifest line of the image as JSON, without the fields that say where the image is."""
    leaf_index: int = Field(ge=0)
    """The number of the image among those that were made, from 0."""
    tree_size: int = Field(ge=1)
    """The number of images that were made."""
    inclusion_path: list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]]
    """The digests that lead from the leaf to the root."""
    root: str
    """The job's Merkle root."""

    def fault(self, file: bytes, root: str | None = None) -> str | None:
        """Return why the proof does not hold for an image file and ``root`` (its own if None), or None."""
        try:
            line = json.loads(self.leaf)
        except ValueError:
            line = None
        if not isinstance(line, dict) or sha256(file).hexdigest() != line.get("sha256"):
            return "the proof is of another file"
        if self._climb() != (root or self.root):
            return "the proof does not lead to the root"
        return None

    def _climb(self) -> str | None:
        """Return the root to which the path leads (RFC 9162, section 2.1.3.2), or None if it is malformed."""
        at, last, digest = self.leaf_index, self.tree_size - 1, leaf_digest(self.leaf.encode())
        if at > last:
            return None
        for text in self.inclusion_path:
            sibling = bytes.fromhex(text)
            if last == 0:
                return None
            if at % 2 or at == last:
                digest = _node(sibling, digest)
                while at and not at % 2:
                    at, last = at // 2, last // 2
            else:
                digest = _node(digest, sibling)
            at, last = at // 2, last // 2
        return digest.hex() if last == 0 else None


def inclusion_path(digests: Sequence[bytes], index: int) -> list[bytes]:
    """Return the path from the digest at ``index`` to the root of the tree of all ``digests``."""
    if len(digests) == 1:
        return []
    middle = 1 << (len(digests) - 1).bit_length() - 1
    left, right = digests[:middle], digests[middle:]
    if index < middle:
        return [*inclusion_path(left, index), tree_of(right).digest()]
    return [*inclusion_path(right, index - middle), tree_of(left).digest()]


def tree_of(digests: Iterable[bytes]) -> MerkleTree:
    """Return the tree of the digests of leaves or of sub-trees, as `MerkleTree.add_digest` takes them."""
    tree = MerkleTree()
    for digest in digests:
        tree.add_digest(digest)
    return tree


def leaf_digest(leaf: bytes) -> bytes:
    """Return the digest of a leaf."""
    return sha256(b"\0" + leaf).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


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
