"""The root of a job's images changes with any of them, and is the same wherever they are."""

from hashlib import sha256

import pytest

from prodgen.spec.finish import Finish
from prodgen.spec.manifest import ManifestLine, write_lines
from prodgen.spec.merkle import (
    InclusionProof,
    MerkleTree,
    inclusion_path,
    leaf,
    leaf_digest,
    root_of,
    stored_leaves,
    tree_of,
)

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


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 150])
def test_a_proof_holds_for_its_file_root_and_place_and_no_other(size: int) -> None:
    lines = [line_of(f"file {k}".encode(), index=k) for k in range(size)]
    digests = [leaf_digest(leaf(line)) for line in lines]
    cells = [tree_of(digests[start : start + 64]).digest() for start in range(0, size, 64)]
    root = root_of(lines)
    for k in range(size):
        path = inclusion_path(digests, k)
        start = k // 64 * 64
        of_cell = inclusion_path(digests[start : start + 64], k % 64)
        assert path == of_cell + inclusion_path(cells, k // 64), "a cell is no sub-tree"
        proof = InclusionProof(
            leaf=leaf(lines[k]).decode(),
            leaf_index=k,
            tree_size=size,
            inclusion_path=[digest.hex() for digest in path],
            root=root,
        )
        assert proof.fault(f"file {k}".encode(), root) is None
        assert proof.fault(f"file {k + 1}".encode()) == "the proof is of another file"
        wrong = [
            {"leaf_index": k + 1},
            {"leaf": proof.leaf + " "},
            {"inclusion_path": [*path_of(proof), root]},
        ]
        wrong += [{"inclusion_path": path_of(proof)[:-1]}] if path else []
        for change in wrong:
            fault = proof.model_copy(update=change).fault(f"file {k}".encode())
            assert fault == "the proof does not lead to the root", change
        assert proof.fault(f"file {k}".encode(), "0" * 64) == "the proof does not lead to the root"


def path_of(proof: InclusionProof) -> list[str]:
    return [*proof.inclusion_path]


def line_of(data: bytes, index: int) -> ManifestLine:
    return LINE.model_copy(update={"index": index, "sha256": sha256(data).hexdigest()})
