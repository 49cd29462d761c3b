"""Delete one image of an ended order: its file, and its place in lists, downloads and the archive.

The manifest, the Merkle root and the proofs stay as they are. An empty object in the folder of the order
records the deletion, and readers add it to the image's manifest line.
"""

from contextlib import suppress
from datetime import UTC, datetime

from prodgen.errors import Conflict, NotFound
from prodgen.jobs.control import complete_end
from prodgen.jobs.delivery import find_image, replacements
from prodgen.jobs.record import find_record, load_state
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.locks import CHANGING, lock
from prodgen.spec.manifest import ManifestLine
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.storage.due import make_due
from prodgen.trash import LOOK_AGAIN


def delete_newest(store: Store, ledger: Ledger, tenant: str, job: str, index: int) -> ManifestLine:
    """Delete an image like `delete_image`, and before it all images that replace it after a rejection.

    So no image is left in its place, also for readers that show the newest one. Raises Conflict if an order
    of a replacement has not ended.
    """
    if record := find_record(store, tenant, job):
        for one in replacements(store, record, index - 1).get(index, []):
            with suppress(NotFound):  # it was never made, or its order is deleted
                delete_image(store, ledger, tenant, one.job, one.place)
    return delete_image(store, ledger, tenant, job, index)


def delete_image(store: Store, ledger: Ledger, tenant: str, job: str, index: int) -> ManifestLine:
    """Delete image ``index`` of an ended order for good, and return its manifest line. Idempotent.

    If the process dies on the way, maintenance deletes the file. Raises NotFound if there is no such job or
    image, and Conflict if the order has not ended or packs its images.
    """
    with lock(ledger, job, CHANGING):
        record = find_record(store, tenant, job)
        if record is None:
            raise NotFound(f"there is no job {job!r}", param="job")
        if record.packaging == "tar":
            raise Conflict(
                f"job {job} packs its images into tars, so none is deleted alone; delete the whole job, and "
                "order again with output.packaging 'files' what you want to keep",
                param="job",
            )
        state = load_state(store, record)
        if state is None:
            raise Conflict(
                f"job {job} has not ended; cancel it first, or wait for its end, to delete images",
                param="job",
            )
        line = find_image(store, record, index)
        if line is None:
            raise NotFound(f"job {job} has no finished image {index}", param="index")
        complete_end(store, record, state)
        make_due(store, datetime.now(UTC) + LOOK_AGAIN, tenant, job)
        store.put(keys.deleted_image(tenant, job, index), b"", "text/plain")
        store.delete([line.object] if line.object else [])
    return line.model_copy(update={"deleted": True})
