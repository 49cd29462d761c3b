"""Remove versions of data sets, and the uploads that no other version of the tenant needs.

1. A removal takes the tenant's lock and replaces the record of each version by a tombstone
   (``{version}-removed.json``). After that, the version cannot be used.
2. It deletes the chunks in batches, then the lists of files, then the tombstones. An interrupted removal
   continues when it is requested again.

The removal takes the lock for each batch, and reads the records again each time. Creating a version takes the
same lock to check for the version's chunks and to write its record. So a version is created only if its
chunks exist and are not deleted. Between two batches, other processes can take the lock.
"""

import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from prodgen.datasets.listing import find_chunks, read_listing
from prodgen.datasets.versions import Dataset, Lock, find_records, list_records, load_records
from prodgen.errors import Conflict, NotFound, ProdgenError
from prodgen.storage import keys
from prodgen.storage.base import Store

BATCH = 2000
"""The most chunks that are deleted each time the lock is taken."""
PAUSE = 0.2
"""Seconds without the lock between two batches; other processes try ten times a second to take the lock."""
RECENT = timedelta(hours=1)
"""Uploads younger than this, and newer than the removed version, are kept: an order may need them."""
_TOMBSTONE = "-removed"


class Removed(NamedTuple):
    """The result of a removal: the ids of the removed versions, and the number of bytes freed."""

    versions: list[str]
    bytes: int


def remove_dataset(
    store: Store, tenant: str, ref: str, lock: Lock, check: Callable[[Sequence[Dataset]], None]
) -> Removed:
    """Remove ``name@version``, or all versions of ``name``, with the uploads that only these versions need.

    ``lock`` returns the tenant's `dataset_lock`. ``check`` raises Conflict if a version must stay; then
    nothing is removed. Raises NotFound for an unknown ``ref``; its message lists what exists.
    """
    if ref.endswith("@"):
        raise ProdgenError(f"{ref!r} ends before the version; all of them are {ref[:-1]!r}", param="dataset")
    with lock():
        removed = _replace_by_tombstones(store, tenant, ref, check)
    freed = _delete_uploads(store, tenant, removed, lock)
    store.delete([_tombstone(dataset) for dataset in removed])
    return Removed([dataset.id for dataset in removed], freed)


def needed_by(store: Store, tenant: str, digest: str) -> str | None:
    """Return ``name@version`` of a data set that needs the upload ``digest``, or None."""
    return next((dataset.id for _, dataset, content in _contents(store, tenant) if digest in content), None)


def _replace_by_tombstones(
    store: Store, tenant: str, ref: str, check: Callable[[Sequence[Dataset]], None]
) -> list[Dataset]:
    """Replace the records of ``ref`` by tombstones. Return all versions of ``ref`` with a tombstone.

    ``created`` of a version replaced now is the time at which the store wrote its record.
    """
    missing: NotFound | None = None
    try:
        found = find_records(store, tenant, ref)
    except NotFound as error:
        found, missing = [], error
    interrupted = _find_tombstones(store, tenant, ref)
    if missing and not interrupted:
        raise missing
    versions = [
        dataset.model_copy(update={"created": info.modified})
        for info in found
        for dataset in load_records(store, [info])
    ]
    check(versions)
    for dataset in versions:
        store.put(_tombstone(dataset), dataset.model_dump_json().encode(), "application/json")
        judges = f"{keys.judges(tenant, dataset.name)}{dataset.version}-"
        store.delete([info.key for info in store.list(judges)])
    store.delete([info.key for info in found])
    return [*{dataset.version: dataset for dataset in [*interrupted, *versions]}.values()]


def _delete_uploads(store: Store, tenant: str, removed: list[Dataset], lock: Lock) -> int:
    """Delete the uploads that only the versions ``removed`` need. Return the number of bytes freed."""
    unneeded: dict[str, datetime] = {}
    for dataset in sorted(removed, key=lambda dataset: dataset.created):
        unneeded[dataset.listing] = dataset.created
        with suppress(NotFound):  # the list is deleted last, so the chunks are deleted already
            unneeded |= dict.fromkeys(_content(store, dataset, may_be_broken=True), dataset.created)
    seen = set[str]()
    _keep_needed(store, tenant, unneeded, seen)  # before the lock is taken, to hold it only briefly
    lists = {dataset.listing for dataset in removed}
    chunks = sorted(unneeded.keys() - lists)
    freed = 0
    for batch in [*(chunks[k : k + BATCH] for k in range(0, len(chunks), BATCH)), sorted(lists)]:
        with lock():
            _keep_needed(store, tenant, unneeded, seen)
            freed += _delete(store, tenant, {each: unneeded[each] for each in batch if each in unneeded})
        time.sleep(PAUSE if len(chunks) > BATCH else 0)
    return freed


def _keep_needed(store: Store, tenant: str, unneeded: dict[str, datetime], seen: set[str]) -> None:
    """Remove from ``unneeded`` each digest that an existing version needs.

    Skips the versions whose keys are in ``seen``, and adds the keys of the other versions to ``seen``.
    """
    for key, _, content in _contents(store, tenant, seen):
        for digest in content:
            unneeded.pop(digest, None)
        seen.add(key)


def _contents(
    store: Store, tenant: str, seen: Container[str] = ()
) -> Iterator[tuple[str, Dataset, set[str]]]:
    """Yield (key of the record, version, its `_content`) for each version whose key is not in ``seen``."""
    for info in list_records(store, tenant):
        if info.key in seen:
            continue
        with suppress(NotFound):  # a version without its list of files is unusable, but may be pushed again
            for dataset in load_records(store, [info]):
                yield info.key, dataset, _content(store, dataset)


def _content(store: Store, dataset: Dataset, *, may_be_broken: bool = False) -> set[str]:
    """Return the digests of a version's list of files and of all its chunks.

    Raises NotFound if the list is missing, and Conflict if the list is broken. With ``may_be_broken``,
    returns only the digest of a broken list.
    """
    data = store.get(keys.upload(dataset.tenant, dataset.listing))
    try:
        return {dataset.listing, *(digest for file in read_listing(data) for digest in file.chunks)}
    except ProdgenError as error:
        if may_be_broken:
            return {dataset.listing}
        raise Conflict(
            f"the list of files of {dataset.id} is broken, so its chunks are unknown; "
            "remove that data set first"
        ) from error


def _delete(store: Store, tenant: str, batch: dict[str, datetime]) -> int:
    """Delete uploads, and return the number of bytes freed. Keeps uploads that are too new, see `RECENT`.

    ``batch``: for the digest of each upload, the time of the removed version.
    """
    recent = datetime.now(UTC) - RECENT
    found = find_chunks(store, tenant, batch)
    old = [i for digest, i in found.items() if i.modified <= batch[digest] or i.modified < recent]
    store.delete([info.key for info in old])
    return sum(info.size for info in old)


def _find_tombstones(store: Store, tenant: str, ref: str) -> list[Dataset]:
    """Return the versions of ``ref`` whose removal was interrupted."""
    name, _, version = ref.partition("@")
    ending = f"/{version}{_TOMBSTONE}.json" if version else f"{_TOMBSTONE}.json"
    found = [info for info in store.list(keys.datasets(tenant, name)) if info.key.endswith(ending)]
    return load_records(store, found)


def _tombstone(dataset: Dataset) -> str:
    return keys.dataset(dataset.tenant, dataset.name, f"{dataset.version}{_TOMBSTONE}")
