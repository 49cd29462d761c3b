"""Create, find and list the data sets of a tenant. Each version is named by the digest of its files."""

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from prodgen.datasets.listing import MAX_BYTES, ListedFile, find_chunks, read_listing, write_listing
from prodgen.datasets.summary import Summary
from prodgen.errors import Conflict, NotFound, ProdgenError, Unavailable
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.locks import lock
from prodgen.spec.names import check_name
from prodgen.storage import keys
from prodgen.storage.base import ObjectInfo, Store

VERSION = re.compile(r"[0-9a-f]{12}")
MAX_SECONDS = 90.0
"""The most seconds that `create_dataset` may take. The caller's lock expires some time later."""

Lock = Callable[[], AbstractContextManager[None]]
"""A function that returns the `dataset_lock` of a tenant."""


class Dataset(BaseModel):
    """The record of a data set's version. ``listing``: the sha256 of the uploaded list of its files.

    ``version``: the first 12 digits of ``listing``, so the files of a version never change. ``created``: the
    time of the last push. ``files`` and ``bytes``: how many files it has, and their bytes together.
    """

    model_config = ConfigDict(frozen=True)

    tenant: str
    name: str
    version: str
    created: datetime
    listing: str
    files: int
    bytes: int
    summary: Summary

    @property
    def id(self) -> str:
        """Return ``name@version``, which always means the same files."""
        return f"{self.name}@{self.version}"


def dataset_lock(ledger: Ledger, tenant: str) -> AbstractContextManager[None]:
    """Return the lock of a tenant's data sets.

    Entering the lock raises Unavailable if another process holds it for too long.
    """
    taken = "another data set of yours is just being made or removed; try again in a moment"
    return lock(ledger, f"datasets:{tenant}", taken)


def create_dataset(
    store: Store,
    tenant: str,
    name: str,
    upload: str,
    summary: Summary,
    most: int = MAX_BYTES,
    allowance: int | None = None,
) -> Dataset:
    """Create a version from the list of files with the digest ``upload``, and make ``name`` mean the version.

    Raises ProdgenError for a broken list, for more than ``most`` bytes in all, or if the versions of all the
    tenant's data sets would have more than ``allowance`` bytes together (None: no limit). Raises NotFound if
    there is no such upload, and Conflict if a chunk is not in the store. The summary is not checked, because
    training does not rely on it. The caller must hold the tenant's `dataset_lock`, so that no chunk is
    removed meanwhile.
    """
    started = time.monotonic()
    check_name(name, "name")
    try:
        data = store.get(keys.upload(tenant, upload))
    except NotFound:
        raise NotFound(
            f"there is no upload {upload}; send the list of files to /v1/uploads, or push again",
            param="listing",
        ) from None
    try:
        files = read_listing(data)
    except ProdgenError as error:
        raise ProdgenError(str(error), param="listing") from None
    total = sum(file.bytes for file in files)
    if total > most:
        raise ProdgenError(
            f"the files have {total / 1e9:,.1f} GB in all; the nodes of this deployment keep at most "
            f"{most / 1e9:,.1f} GB of data",
            param="listing",
        )
    listing = write_listing(files)
    digest = hashlib.sha256(listing).hexdigest()
    if allowance is not None:
        _check_allowance(store, tenant, digest, total, allowance)
    _check_complete(store, tenant, files)
    if digest != upload:  # the same files in another order or notation
        store.put(keys.upload(tenant, digest), listing, "application/jsonl")
    dataset = Dataset(
        tenant=tenant,
        name=name,
        version=digest[:12],
        created=datetime.now(UTC),
        listing=digest,
        files=len(files),
        bytes=total,
        summary=summary,
    )
    if time.monotonic() - started > MAX_SECONDS:
        raise Unavailable("finding all the chunks in the store took too long; try again in a moment")
    key = keys.dataset(tenant, name, dataset.version)
    store.put(key, dataset.model_dump_json(indent=1).encode(), "application/json")
    return dataset


def resolve_dataset(store: Store, tenant: str, ref: str) -> Dataset:
    """Return the version that ``ref`` means: ``name@version``, or ``name`` for the version pushed last.

    Raises NotFound for an unknown name or version; its message lists those that exist.
    """
    found = find_records(store, tenant, ref)
    latest = max(info.modified for info in found)
    # Stores may round times to seconds; within one second, the records tell which came last.
    tied = load_records(store, (info for info in found if info.modified == latest))
    if not tied:
        raise NotFound(f"{ref} has just been removed", param="dataset")
    return max(tied, key=lambda dataset: dataset.created)


def datasets(store: Store, tenant: str) -> list[Dataset]:
    """Return every version of every data set of the tenant, the last pushed first."""
    found = load_records(store, list_records(store, tenant))
    return sorted(found, key=lambda dataset: dataset.created, reverse=True)


def find_records(store: Store, tenant: str, ref: str) -> list[ObjectInfo]:
    """Return the record of ``name@version``, or all records of ``name``. Raises NotFound if there is none."""
    name, _, version = ref.partition("@")
    check_name(name, "dataset")
    found = [info for info in list_records(store, tenant, name) if not version or _version(info) == version]
    if not found:
        raise NotFound(_not_found_message(store, tenant, name, version), param="dataset")
    return found


def list_records(store: Store, tenant: str, name: str | None = None) -> Iterator[ObjectInfo]:
    """Yield the record of each version of the tenant's data set ``name``, or of all data sets (None)."""
    for info in store.list(keys.datasets(tenant, name)):
        if VERSION.fullmatch(_version(info)):
            yield info


def load_records(store: Store, found: Iterable[ObjectInfo]) -> list[Dataset]:
    """Read the records ``found`` from the store. Skips a record that was removed meanwhile."""
    loaded = []
    for info in found:
        with suppress(NotFound):
            loaded.append(Dataset.model_validate_json(store.get(info.key)))
    return loaded


def _check_allowance(store: Store, tenant: str, listing: str, size: int, allowance: int) -> None:
    others = {dataset.listing: dataset.bytes for dataset in datasets(store, tenant)}
    together = sum(others.values()) - others.get(listing, 0) + size
    if together > allowance:
        raise ProdgenError(
            f"your data sets would have {together / 1e6:,.0f} MB together, and may have "
            f"{allowance / 1e6:,.0f} MB; remove a data set first",
            param="listing",
        )


def _check_complete(store: Store, tenant: str, files: list[ListedFile]) -> None:
    wanted = {digest for file in files for digest in file.chunks}
    there = find_chunks(store, tenant, wanted)
    if len(there) < len(wanted):
        raise Conflict(
            f"{len(wanted) - len(there)} of the {len(wanted)} chunks are not in the store; "
            "send them to /v1/uploads, or push again",
            param="listing",
        )
    for file in files:
        if any(there[chunk.sha256].size != chunk.length for chunk in file.iter_chunks()):
            raise ProdgenError(f"{file.path} has not {file.bytes} bytes, as the list says", param="listing")


def _version(info: ObjectInfo) -> str:
    return info.key.rpartition("/")[2].removesuffix(".json")


def _not_found_message(store: Store, tenant: str, name: str, version: str) -> str:
    there = [_version(info) for info in list_records(store, tenant, name)]
    if there:
        return f"{name} has no version {version!r}; it has {', '.join(there)}"
    names = dict.fromkeys(info.key.split("/")[-2] for info in list_records(store, tenant))
    if names:
        return f"there is no data set {name!r}; there are {', '.join(names)}"
    return f"there is no data set {name!r}; none has been pushed yet"
