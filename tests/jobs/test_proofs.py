"""A proof leads to the root also where images before it could not be made."""

from prodgen.jobs.ending import settle_job
from prodgen.jobs.manifests import published_whole
from prodgen.jobs.proofs import prove
from prodgen.ledger.ledger import Ledger
from prodgen.spec.merkle import inclusion_path, leaf_digest, stored_leaves
from tests.jobs.workshop import new_record, order, work
from tests.ledger.memory import MemoryStore


def test_failed_images_have_no_place_in_the_tree(ledger: Ledger, memory: MemoryStore) -> None:
    record = order(memory, ledger, new_record("j1", 200))
    while lease := ledger.lease("bulk", "w1", 64):
        if lease.first == 1:
            ledger.fail(lease.token, "no")
        else:
            assert work(memory, ledger, record, lease)
    state = settle_job(memory, ledger, record)
    assert state
    assert (state.state, state.dead, state.done) == ("partial", [1], 136)
    manifests = [memory.get(manifest.key) for manifest in published_whole(memory, record)]
    leaves = [leaf for manifest in manifests for leaf in stored_leaves(manifest)]
    proof = prove(memory, record, 195)
    assert (proof.leaf_index, proof.tree_size, proof.root) == (131, 136, state.root)
    assert proof.leaf.encode() == leaves[131]
    digests = [leaf_digest(leaf) for leaf in leaves]
    assert proof.inclusion_path == [digest.hex() for digest in inclusion_path(digests, 131)]
