"""Read an upload, such as a photograph, or delete it with all cut-outs that were made of it."""

from itertools import chain, pairwise

from prodgen.datasets.remove import needed_by
from prodgen.datasets.versions import dataset_lock
from prodgen.errors import Conflict, NotFound, ProdgenError
from prodgen.jobs.record import find_record
from prodgen.ledger.ledger import Ledger
from prodgen.storage import keys
from prodgen.storage.base import Store, list_folders, read_chunks


def delete_upload(store: Store, ledger: Ledger, tenant: str, digest: str) -> int:
    """Delete the upload ``digest`` and its cut-outs; return the size of the upload in bytes.

    Raises NotFound if there is no such upload. Raises Conflict if a data set needs the upload, or an order
    that has not ended. If a call was interrupted, the next call deletes the rest.
    """
    key = keys.upload(tenant, digest)
    with dataset_lock(ledger, tenant):
        try:
            size = store.stat(key).size
        except NotFound:
            raise NotFound(f"there is no upload {digest}", param="upload") from None
        if dataset := needed_by(store, tenant, digest):
            raise Conflict(f"{dataset} needs this upload; remove the data set first", param="upload")
        for job in ledger.unended(tenant):
            if _has_picture(store, tenant, job, digest):
                raise Conflict(
                    f"job {job} needs this picture; cancel it, or wait for its end", param="upload"
                )
        delete_cut_outs(store, tenant, digest)
        store.delete([key])
    return size


def delete_cut_outs(store: Store, tenant: str, photo: str) -> None:
    """Delete all cut-outs of an uploaded photograph. They are made again when a picture needs them."""
    versions = list_folders(store, keys.cut_outs(tenant))
    prefixes = (keys.cut_outs_of(tenant, version, photo) for version in versions)
    store.delete([info.key for prefix in prefixes for info in store.list(prefix)])


def _has_picture(store: Store, tenant: str, job: str, digest: str) -> bool:
    """Return whether an order names the upload ``digest`` as a picture, for all items or for one item."""
    record = find_record(store, tenant, job)
    if record is None or not (record.photographs or record.spec.pictures):
        return False
    if any(digest in values for values in record.spec.attributes.values()):
        return True
    chunks, sought = read_chunks(store, keys.job(tenant, job, "items.jsonl")), digest.encode()
    return any(sought in one + two[: len(sought)] for one, two in pairwise(chain(chunks, [b""])))


def read_upload(store: Store, tenant: str, digest: str, kind: str = "picture") -> bytes:
    """Return an uploaded file. ``kind``: what the file is, for the error if it was deleted."""
    try:
        return store.get(keys.upload(tenant, digest))
    except NotFound:
        raise ProdgenError(f"the {kind} {digest} is no longer among the uploads") from None
