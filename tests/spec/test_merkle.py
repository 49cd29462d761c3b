"""The root of a job's images changes with any of them, and is the same wherever they are."""

from hashlib import sha256

import pytest

from prodgen.spec.finish import Finish
from prodgen.spec.manifest import ManifestLine, write_lines
from prodgen.spec.merkle import MerkleTree, leaf, root_of, stored_leaves

PLACE = {"object": "tenants/a/jobs/b/cells/000000000.t.tar", "offset": 512, "length": 9}
LINE = ManifestLine(
    index=0,
    sku='"file":"x","sha256":"',
    seed=7,
    draw=0,
    attributes={"category": "帽子"},
    model="bags@1",
    truncation=0.7,
    finish=Finish(size=64),
    format="png",
    precision="fp32",
    file="000000000-x.png",
    sha256=sha256(b"0").hexdigest(),
)
LINES = [
    LINE.model_copy(update={"index": i, "draw": i, "sha256": sha256(b"%d" % i).hexdigest()}) for i in range(7)
]


def test_the_tree_is_that_of_rfc_6962() -> None:
    def root(leaves: list[bytes]) -> bytes:
        """Return the root by the definition: the left half is the largest power of two."""
        if len(leaves) == 1:
            return sha256(b"\0" + leaves[0]).digest()
        half = 1 << (len(leaves) - 1).bit_length() - 1
        return sha256(b"\1" + root(leaves[:half]) + root(leaves[half:])).digest()

    tree, leaves = MerkleTree(), list[bytes]()
    assert tree.root() == sha256().hexdigest()
    for number in range(20):
        leaves.append(b"%d" % number)
        tree.add(leaves[-1])
        assert tree.root() == root(leaves).hex()


@pytest.mark.parametrize("place", [PLACE, {"object": "tenants/a/jobs/b/cells/000000000.t/000000000.png"}])
def test_a_download_has_the_root_of_its_job(place: dict[str, object]) -> None:
    manifest = write_lines(line.model_copy(update=place) for line in LINES)
    assert stored_leaves(manifest) == [leaf(line) for line in LINES]
    moved = [line.model_copy(update={"file": f"A-1/{line.file}"}) for line in LINES]
    assert root_of(moved) == root_of(LINES)


def test_every_change_of_a_line_changes_the_root() -> None:
    changes: list[dict[str, object]] = [
        {"sha256": "0" * 64},
        {"seed": 8},
        {"attributes": {"category": "bag"}},
        {"finish": Finish()},
        {"sku": None},
        {"review": "dark"},
        {"index": 9},
    ]
    changed = [[*LINES[:3], LINES[3].model_copy(update=change), *LINES[4:]] for change in changes]
    roots = {root_of(lines) for lines in [LINES, LINES[:-1], LINES[1:], LINES[::-1], *changed]}
    assert len(roots) == 4 + len(changes)
