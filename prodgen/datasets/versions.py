"""Which data sets there are: versions named by their content, in the store of the tenant that pushed them."""

import hashlib
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from prodgen.datasets.chunks import chunk_sizes
from prodgen.datasets.listing import ListedFile, read_listing, write_listing
from prodgen.datasets.summary import Summary
from prodgen.errors import Conflict, NotFound, ProdgenError, Unavailable
from prodgen.spec.names import check_name
from prodgen.storage import keys
from prodgen.storage.base import ObjectInfo, Store

VERSION = re.compile(r"[0-9a-f]{12}")
LONGEST = 90.0
"""Seconds that making a version may take: its lock may be over after more (`prodgen.datasets.remove`)."""


class Dataset(BaseModel):
    """A version as the store keeps it. ``listing`` is the sha256 of the list of its files, an upload too.

    ``version`` begins that digest, so a version's files never change. ``created`` is when it was last pushed.
    ``files`` and ``bytes`` count.
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
        """``name@version``: means the same files for ever."""
        return f"{self.name}@{self.version}"


def create_dataset(store: Store, tenant: str, name: str, upload: str, summary: Summary) -> Dataset:
    """Make a version of the files that an upload lists, and let ``name`` mean it from now on.

    Raises ProdgenError for a list that is not sound, NotFound if there is none, and Conflict if a chunk is
    not in the store. The summary is believed: whoever trains opens the data itself. Whoever calls this holds
    the tenant's `dataset_lock`, so that no chunk is removed meanwhile.
    """
    begun = time.monotonic()
    try:
        check_name(name)
    except ProdgenError as error:
        raise ProdgenError(str(error), param="name") from None
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
    _check_complete(store, tenant, files)
    listing = write_listing(files)
    digest = hashlib.sha256(listing).hexdigest()
    if digest != upload:  # the same files, written in another way
        store.put(keys.upload(tenant, digest), listing, "application/jsonl")
    dataset = Dataset(
        tenant=tenant,
        name=name,
        version=digest[:12],
        created=datetime.now(UTC),
        listing=digest,
        files=len(files),
        bytes=sum(file.bytes for file in files),
        summary=summary,
    )
    if time.monotonic() - begun > LONGEST:
        raise Unavailable("to look for all the chunks in the store took too long; try again in a moment")
    key = keys.dataset(tenant, name, dataset.version)
    store.put(key, dataset.model_dump_json(indent=1).encode(), "application/json")
    return dataset


def resolve_dataset(store: Store, tenant: str, ref: str) -> Dataset:
    """The version that ``name@version`` means, or the one that was pushed last for ``name`` alone.

    Raises NotFound, which lists what there is.
    """
    found = find_manifests(store, tenant, ref)
    latest = max(info.modified for info in found)
    # A store may tell whole seconds only; within one, the manifests themselves know.
    tied = load(store, (info for info in found if info.modified == latest))
    if not tied:
        raise NotFound(f"{ref} has just been removed", param="dataset")
    return max(tied, key=lambda dataset: dataset.created)


def datasets(store: Store, tenant: str) -> list[Dataset]:
    """Every version of every data set of the tenant, the one that was pushed last first."""
    found = load(store, manifests(store, tenant))
    return sorted(found, key=lambda dataset: dataset.created, reverse=True)


def find_manifests(store: Store, tenant: str, ref: str) -> list[ObjectInfo]:
    """Those of the version ``name@version``, or of all versions of ``name``; raises NotFound if none is."""
    name, _, version = ref.partition("@")
    try:
        check_name(name)
    except ProdgenError as error:
        raise ProdgenError(str(error), param="dataset") from None
    found = [info for info in manifests(store, tenant, name) if not version or _version(info) == version]
    if not found:
        raise NotFound(_what_there_is(store, tenant, name, version), param="dataset")
    return found


def manifests(store: Store, tenant: str, name: str | None = None) -> Iterator[ObjectInfo]:
    """What the store has of each version of the tenant's data sets, or of one of them."""
    for info in store.list(keys.datasets(tenant, name)):
        if VERSION.fullmatch(_version(info)):
            yield info


def load(store: Store, found: Iterable[ObjectInfo]) -> list[Dataset]:
    """The versions of these manifests, leaving out those that are removed meanwhile."""
    loaded = []
    for info in found:
        with suppress(NotFound):
            loaded.append(Dataset.model_validate_json(store.get(info.key)))
    return loaded


def _check_complete(store: Store, tenant: str, files: list[ListedFile]) -> None:
    wanted = {digest for file in files for digest in file.chunks}
    there = chunk_sizes(store, tenant, wanted)
    if len(there) < len(wanted):
        raise Conflict(
            f"{len(wanted) - len(there)} of the {len(wanted)} chunks are not in the store; "
            "send them to /v1/uploads, or push again",
            param="listing",
        )
    for file in files:
        if any(there[chunk.sha256] != chunk.length for chunk in file.cut()):
            raise ProdgenError(f"{file.path} has not {file.bytes} bytes, as the list says", param="listing")


def _version(info: ObjectInfo) -> str:
    return info.key.rpartition("/")[2].removesuffix(".json")


def _what_there_is(store: Store, tenant: str, name: str, version: str) -> str:
    there = [_version(info) for info in manifests(store, tenant, name)]
    if there:
        return f"{name} has no version {version!r}; it has {', '.join(there)}"
    names = dict.fromkeys(info.key.split("/")[-2] for info in manifests(store, tenant))
    if names:
        return f"there is no data set {name!r}; there are {', '.join(names)}"
    return f"there is no data set {name!r}; none has been pushed yet"
