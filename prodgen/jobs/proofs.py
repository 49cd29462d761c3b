"""Prove that an image belongs to a job's Merkle root.

A proof needs the digests of all cells of the job. For a large job, merkle.bin has these digests, so that a
proof reads only one manifest.
"""

from bisect import bisect_left
from contextlib import suppress

from prodgen.errors import Conflict, NotFound
from prodgen.jobs.manifests import cell_digests, first_cell, published_at, published_whole
from prodgen.jobs.record import JobRecord, load_state
from prodgen.spec.merkle import InclusionProof, inclusion_path, leaf_digest, stored_leaves, tree_of
from prodgen.spec.order import CELL
from prodgen.storage import keys
from prodgen.storage.base import Store

LARGE = 256
"""A job with more cells than this is large: the digests of its cells are stored in merkle.bin."""


def prove(store: Store, record: JobRecord, index: int) -> InclusionProof:
    """Return the proof of image ``index``.

    Raises NotFound if the image was not made, and Conflict if the job has no Merkle root.
    """
    state = load_state(store, record)
    if state is None or state.root is None:
        raise Conflict(f"job {record.id} has no Merkle root; a job has one when it has ended by itself")
    cell = index // CELL
    listed = store.list(keys.job(record.tenant, record.id, "manifest/"))
    firsts = [first for info in listed if (first := first_cell(info.key)) <= cell]
    manifest = published_at(store, record, max(firsts)) if firsts else None
    if manifest is None or cell not in manifest.cells or index >= record.total:
        raise NotFound(f"job {record.id} has no finished image {index}", param="index")
    at, rank = index - manifest.first * CELL, cell - bisect_left(state.dead, cell)
    leaves = stored_leaves(store.get(manifest.key))
    start = at // CELL * CELL
    of_cell = [leaf_digest(leaf) for leaf in leaves[start : start + CELL]]
    path = inclusion_path(of_cell, at % CELL)
    path += inclusion_path(_cell_digests(store, record, state.root), rank)
    return InclusionProof(
        leaf=leaves[at].decode(),
        leaf_index=rank * CELL + at % CELL,
        tree_size=state.done,
        inclusion_path=[digest.hex() for digest in path],
        root=state.root,
    )


def keep_digests(store: Store, record: JobRecord, digests: list[bytes]) -> None:
    """Write the digests of a job's cells to merkle.bin, if they are more than `LARGE`."""
    if len(digests) > LARGE:
        key = keys.job(record.tenant, record.id, "merkle.bin")
        store.put(key, b"".join(digests), "application/octet-stream")


def _cell_digests(store: Store, record: JobRecord, root: str) -> list[bytes]:
    """Return the digests of the job's cells, from merkle.bin if it has them, else from the manifests.

    Raises Conflict if the digests do not give ``root``.
    """
    with suppress(NotFound):
        kept = store.get(keys.job(record.tenant, record.id, "merkle.bin"))
        digests = [kept[start : start + 32] for start in range(0, len(kept), 32)]
        if tree_of(digests).root() == root:
            return digests
    digests = cell_digests(store, published_whole(store, record))
    if tree_of(digests).root() != root:
        raise Conflict(f"the images of job {record.id} were changed after its end; tell the operator")
    keep_digests(store, record, digests)
    return digests
