"""Checks of a simulated deployment after its last fault: each image is there once, nothing is left over."""

import hashlib
from collections import Counter
from typing import Any

from prodgen.jobs.manifests import merkle_root, published
from prodgen.jobs.record import JobRecord, load_last_state
from prodgen.jobs.usage import read_usage
from prodgen.ledger.ledger import Ledger
from prodgen.storage import keys
from tests.faults.patches import LEASE_IMAGES, file_of
from tests.faults.whole import assert_once, manifest
from tests.faults.world import CELL, Store, World, current

TENANTS = ("ada", "bob", "eve")
JOB_PARTS = ("taken", "made", "suspects", "strikes", "won", "errors", "refused")


def assert_ended(world: World, store: Store, record: JobRecord | None) -> str:
    """Check an order: its end, its counts, its images by their manifests, its usage. Returns its state.

    A worker that was killed while it stored images of an order that had ended may leave these images.
    """
    assert record
    state = load_last_state(store, record)
    assert state
    cells = {cell for seed, cell in world.poison if seed == record.spec.seed}
    _, ended = world.written[keys.job(record.tenant, record.id, "state.json")]
    for key, (process, at) in world.written.items():
        if f"/{record.id}/cells/" in key and at > ended and not process.alive:
            world.objects.pop(key, None)
    assert_once(store, record.id, None, record.tenant)
    lines = manifest(store, record.id, record.tenant)
    for line in lines:
        assert line.sha256 == hashlib.sha256(file_of(line.seed, line.index)).hexdigest()
    assert len(lines) == state.done
    missing = {*range(record.total)} - {line.index for line in lines}
    if state.state == "cancelled":
        assert state.root is None
    else:
        assert {index // CELL for index in missing} == set(state.dead)
        assert set(state.dead) <= cells, "images were given up that can be made"
        assert state.root == merkle_root(store, published(store, record)[0])
    day = state.finished.date()
    used = sum(usage.images for usage in read_usage(store, record.tenant, day, day) if usage.orders)
    assert used >= state.done
    return str(state.state)


def assert_clean(ledger: Ledger) -> None:
    """Check that the ledger holds no lease, owes no image, and keeps of ended jobs only what lists show."""
    for queue in ("bulk", "interactive"):
        backlog = ledger.backlog(queue)  # type: ignore[arg-type]
        assert (backlog.images, backlog.leases, backlog.models) == (0, 0, {}), backlog
    assert not ledger.finishing()
    left = [key.decode() for key in ledger.client.keys("prodgen:job:*")]
    assert not [key for key in left if key.rpartition(":")[2] in JOB_PARTS], left
    assert not ledger.client.keys("prodgen:worker:*")
    assert not ledger.client.exists("prodgen:leases")


class Fairness:
    """Counts the images that other tenants were leased while a tenant waited."""

    BOUND = 6 * LEASE_IMAGES

    def __init__(self) -> None:
        self._waited: Counter[tuple[str, str]] = Counter()

    def leased(self, queue: str, tenant: str, images: int, waiting: list[str]) -> None:
        """Note a lease. Raises AssertionError if another tenant has waited for too many images."""
        for other in TENANTS:
            if other == tenant or other not in waiting:
                del self._waited[queue, other]
            else:
                self._waited[queue, other] += images
                assert self._waited[queue, other] <= self.BOUND, f"{other} waits too long in {queue}"


class WatchedLedger(Ledger):
    """A ledger whose leases are watched for fairness."""

    def lease(self, queue: Any, worker: str, images: int) -> Any:
        lease = super().lease(queue, worker, images)
        if lease:
            process = current()
            line = self.client.server.send(0, "ZRANGE", f"prodgen:line:{queue}", 0, -1)
            process.world.fairness.leased(queue, lease.tenant, lease.cells * CELL, [t.decode() for t in line])
        return lease
