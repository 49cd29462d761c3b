"""The worker's side of the protocol (see `prodgen.recovery`)."""

from prodgen.jobs.manifests import load_state, published_at
from prodgen.jobs.record import JobRecord
from prodgen.ledger.entries import Lease
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.scripts import LedgerLost
from prodgen.storage import keys
from prodgen.storage.base import Store


def report(store: Store, ledger: Ledger, record: JobRecord, lease: Lease, manifest: bytes) -> bool:
    """All images of a lease are in the store, as ``manifest`` says: True if they count.

    May be called again after `prodgen.errors.Unavailable`. After False the caller must not delete anything: a
    recovery may have taken these images for the job's.
    """
    store.put(f"{_folder(lease)}.jsonl", manifest, "application/jsonl")
    try:
        counted = ledger.complete(lease.token)
    except LedgerLost:
        _leave_nothing_with_the_ended(store, record, lease)
        raise
    if not counted:
        _leave_nothing_with_the_ended(store, record, lease)
        return False
    if lease.token.partition("-")[0] == ledger.epoch():  # else a recovery has seen to these cells
        store.put(keys.manifest(record.tenant, record.id, lease.first), manifest, "application/jsonl")
    return True


def discard(store: Store, record: JobRecord, lease: Lease) -> None:
    """The lease was lost before `report`, or the job has ended: delete what it wrote, unless adopted."""
    run = published_at(store, record, lease.first)
    folder = _folder(lease)
    if run and folder.endswith(run.folder):
        return
    store.delete([f"{folder}.jsonl", f"{folder}.tar", *(info.key for info in store.list(f"{folder}/"))])


def _leave_nothing_with_the_ended(store: Store, record: JobRecord, lease: Lease) -> None:
    """What is not counted is swept at the job's end; after that nobody adopts it, and nobody sweeps."""
    if load_state(store, record):
        discard(store, record, lease)


def _folder(lease: Lease) -> str:
    return keys.cell_folder(lease.tenant, lease.job, lease.first, lease.token)
