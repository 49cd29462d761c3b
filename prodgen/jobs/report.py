"""Report or discard the images of a lease. A worker calls this after it has stored the images.

The order of the steps is a protocol: see ``docs/explanation/ledger-and-store.md``.
"""

from prodgen.jobs.manifests import published_at
from prodgen.jobs.record import JobRecord, load_state
from prodgen.ledger.entries import Lease
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.scripts import LedgerLost
from prodgen.storage import keys
from prodgen.storage.base import Store


def report(store: Store, ledger: Ledger, record: JobRecord, lease: Lease, manifest: bytes) -> bool:
    """Report a lease whose images are all in the store. Returns whether the ledger counts the images.

    The caller may try again after Unavailable. If this returns False, the caller must delete nothing, because
    a recovery may have published the images.
    """
    store.put(f"{_folder(lease)}.jsonl", manifest, "application/jsonl")
    try:
        counted = ledger.complete(lease.token)
    except LedgerLost:
        _discard_if_ended(store, record, lease)
        raise
    if not counted:
        _discard_if_ended(store, record, lease)
        return False
    if lease.token.partition("-")[0] == ledger.epoch():  # else a recovery has published these cells
        store.put(keys.manifest(record.tenant, record.id, lease.first), manifest, "application/jsonl")
    return True


def discard(store: Store, record: JobRecord, lease: Lease) -> None:
    """Delete the images of a lease that was lost before its report, unless a recovery has published them."""
    manifest = published_at(store, record, lease.first)
    folder = _folder(lease)
    if manifest and folder.endswith(manifest.folder):
        return
    store.delete([f"{folder}.jsonl", f"{folder}.tar", *(info.key for info in store.list(f"{folder}/"))])


def _discard_if_ended(store: Store, record: JobRecord, lease: Lease) -> None:
    """Discard the images if the job is settled, because no later sweep would delete them."""
    if load_state(store, record):
        discard(store, record, lease)


def _folder(lease: Lease) -> str:
    return keys.cell_folder(lease.tenant, lease.job, lease.first, lease.token)
