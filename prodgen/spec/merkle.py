"""The Merkle root of a job's images: one digest that changes if any image or manifest line changes.

A leaf is a manifest line without the fields that say where the image is (`PLACE`), so that a job and its
download have the same root. The tree is built as in RFC 6962, with SHA-256.
"""

import json
import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from prodgen.spec.manifest import ManifestLine

PLACE = {"file", "frame", "object", "offset", "length", "deleted"}
_PLACE = re.compile(
    rb',"file":"[^"]*"(,"sha256":"[0-9a-f]{64}"),"object":"[^"]*"(?:,"offset":\d+,"length":\d+)?\}\n'
)
"""The end of a manifest line in the store: the `PLACE` fields, and the sha256 between them."""


class MerkleTree:
    """Computes the Merkle root of leaves that are added one by one. It keeps at most one digest a level."""

    def __init__(self) -> None:
        self._whole: list[tuple[int, bytes]] = []
        """The level and the digest of each complete sub-tree, from left to right."""

    def add(self, leaf: bytes) -> None:
        """Append a leaf."""
        self.add_digest(leaf_digest(leaf))

    def add_digest(self, digest: bytes) -> None:
        """Append the digest of a leaf, or of a sub-tree.

        Do not append both to one tree. All sub-trees must have the same number of leaves, a power of two;
        only the last sub-tree may have fewer.
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
    """A proof (RFC 9162) that an image belongs to a job. To check it, no other image of the job is needed."""

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
        """Check the proof of an image file; return the fault, or None if the proof holds.

        ``root`` is the job's root, if it is known from elsewhere; None means `self.root`.
        """
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
        """Compute the root from the leaf and the path (RFC 9162, 2.1.3.2); None if the path is malformed."""
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
    """Return the inclusion path of the leaf ``index``: the digests with which its digest gives the root.

    ``digests`` holds the digests of all leaves of the tree.
    """
    if len(digests) == 1:
        return []
    middle = 1 << (len(digests) - 1).bit_length() - 1
    left, right = digests[:middle], digests[middle:]
    if index < middle:
        return [*inclusion_path(left, index), tree_of(right).digest()]
    return [*inclusion_path(right, index - middle), tree_of(left).digest()]


def tree_of(digests: Iterable[bytes]) -> MerkleTree:
    """Return a tree with these digests, all of leaves or all of sub-trees (see `MerkleTree.add_digest`)."""
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
    """Return the leaf of an image: its manifest line as JSON, without the `PLACE` fields."""
    return line.model_dump_json(exclude_none=True, exclude=PLACE).encode()


def stored_leaves(manifest: bytes) -> list[bytes]:
    """Return the leaves of a manifest in the store, by a regular expression: three times faster than parsing.

    A line that does not end like the lines that workers write is returned unchanged.
    """
    return _PLACE.sub(rb"\1}\n", manifest).rstrip(b"\n").split(b"\n")


def root_of(lines: Iterable[ManifestLine]) -> str:
    """Return the Merkle root (hexadecimal) of manifest lines that are sorted by index."""
    tree = MerkleTree()
    for line in lines:
        tree.add(leaf(line))
    return tree.root()
