"""The manifests of a job in the store. Each lists the images of one lease.

The worker that holds a lease writes ``cells/{first}.{token}.jsonl`` (a reported manifest). Several leases may
cover the same cells. The manifest of the lease that the ledger counts is copied to ``manifest/{first}.jsonl``
(a published manifest). Readers see published manifests only.
"""

import json
from bisect import bisect_right
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from prodgen.errors import NotFound, Unavailable
from prodgen.jobs.record import JobRecord
from prodgen.spec.merkle import leaf_digest, stored_leaves, tree_of
from prodgen.spec.order import CELL, count_cells
from prodgen.storage import keys
from prodgen.storage.base import THREADS, ObjectInfo, Store, in_threads


@dataclass(frozen=True, order=True)
class Manifest:
    """A manifest in the store. It lists the images of one lease: of the cells [first, end).

    ``images``: their number. ``folder``: the lease's folder, ``{first:09d}.{token}``. ``key`` and ``size``:
    the manifest's key in the store, and its bytes. ``packed``: the offset at which the last image ends in
    its tar, in bytes; 0 if the images are not in a tar.
    """

    first: int
    end: int
    images: int
    folder: str
    key: str
    size: int = field(default=0, compare=False)
    packed: int = field(default=0, compare=False)

    @property
    def cells(self) -> range:
        """The cells whose images the manifest lists."""
        return range(self.first, self.end)


def published(store: Store, record: JobRecord) -> tuple[list[Manifest], list[str]]:
    """Return the published manifests, and the keys of published manifests that cannot be read."""
    return _read_all(store, record, store.list(keys.job(record.tenant, record.id, "manifest/")))


def published_page(store: Store, record: JobRecord, after: int, limit: int) -> list[Manifest]:
    """Return up to ``limit`` published manifests that come after manifest number ``after``.

    Manifests are numbered from 0, in the order of their first cells. Raises Unavailable if one of them
    cannot be read.
    """
    found = store.list(keys.job(record.tenant, record.id, "manifest/"))
    return _whole(record, *_read_all(store, record, islice(found, after + 1, after + 1 + limit)))


def published_whole(store: Store, record: JobRecord) -> list[Manifest]:
    """Return all published manifests. Raises Unavailable if one of them cannot be read."""
    return _whole(record, *published(store, record))


def _whole(record: JobRecord, manifests: list[Manifest], broken: list[str]) -> list[Manifest]:
    if broken:
        raise Unavailable(f"the list of images of job {record.id} is incomplete; tell the operator")
    return manifests


def published_at(store: Store, record: JobRecord, first: int) -> Manifest | None:
    """Return the published manifest that begins at cell ``first``; None if it is absent or broken."""
    with suppress(NotFound):
        return _read(store, record, store.stat(keys.manifest(record.tenant, record.id, first)))
    return None


def reported(store: Store, record: JobRecord) -> list[Manifest]:
    """Return the reported manifests that can be read, whether or not the ledger counted their leases."""
    found = store.list(keys.job(record.tenant, record.id, "cells/"))
    return _read_all(store, record, (info for info in found if info.key.endswith(".jsonl")))[0]


def reported_at(store: Store, record: JobRecord, folder: str) -> Manifest | None:
    """Return the reported manifest of the lease with this folder; None if it is absent or broken."""
    with suppress(NotFound):
        return _read(
            store, record, store.stat(keys.job(record.tenant, record.id, "cells", f"{folder}.jsonl"))
        )
    return None


def choose(candidates: Iterable[Manifest], given: Iterable[Manifest] = ()) -> list[Manifest]:
    """Return the candidates that together have the most images, but share no cell with another manifest.

    The other manifests are the other chosen candidates and ``given``. Leases that the ledger counted share
    no cell, so the choice has at least as many images as were counted.
    """
    taken = cells_of(given)
    manifests = sorted((m for m in candidates if taken.isdisjoint(m.cells)), key=lambda m: (m.end, m))
    ends = [manifest.end for manifest in manifests]
    most = [0]  # images of the best choice among the first n manifests
    for at, manifest in enumerate(manifests):
        most.append(max(most[-1], most[bisect_right(ends, manifest.first, hi=at)] + manifest.images))
    chosen: list[Manifest] = []
    at = len(manifests)
    while at:
        at -= 1
        if most[at + 1] > most[at]:
            chosen.append(manifests[at])
            at = bisect_right(ends, manifests[at].first, hi=at)
    return chosen[::-1]


def publish(store: Store, record: JobRecord, first: int, reported_key: str) -> bool:
    """Copy the reported manifest ``reported_key`` to the published manifest that begins at cell ``first``.

    Returns False if there is no reported manifest.
    """
    try:
        lines = store.get(reported_key)
    except NotFound:
        return False
    store.put(keys.manifest(record.tenant, record.id, first), lines, "application/jsonl")
    return True


def merkle_root(store: Store, manifests: Iterable[Manifest]) -> str:
    """Return the Merkle root of the images of ``manifests``. No two manifests may share a cell."""
    return tree_of(cell_digests(store, manifests)).root()


def cell_digests(store: Store, manifests: Iterable[Manifest]) -> list[bytes]:
    """Return the Merkle root of each cell's images, by cell. The job's tree is built from these roots."""
    found, ordered = [], iter(sorted(manifests))
    while batch := list(islice(ordered, THREADS)):
        for data in in_threads(lambda manifest: store.get(manifest.key), batch):
            digests = [leaf_digest(leaf) for leaf in stored_leaves(data)]
            cells = (digests[start : start + CELL] for start in range(0, len(digests), CELL))
            found += [tree_of(cell).digest() for cell in cells]
    return found


def cells_of(manifests: Iterable[Manifest]) -> set[int]:
    """Return the cells of all ``manifests`` together."""
    return {cell for manifest in manifests for cell in manifest.cells}


def folder_of(key: str) -> str:
    """Return the ``{first:09d}.{token}`` in the key of a tar, a manifest or an image under cells/."""
    name = key.partition("/cells/")[2].partition("/")[0]
    return name.removesuffix(".tar").removesuffix(".jsonl")


def deleted_images(store: Store, record: JobRecord, after: int = -1) -> set[int]:
    """Return the indices above ``after`` of the images that were deleted from the job."""
    prefix = keys.job(record.tenant, record.id, "deleted/")
    found = store.list(prefix, f"{prefix}{after:09d}" if after >= 0 else "")
    return {int(info.key.removeprefix(prefix)) for info in found}


def is_image_of(key: str, indices: Collection[int]) -> bool:
    """Return whether a key under cells/ is that of an image, stored as a file, with one of the indices."""
    _, in_folder, name = key.partition("/cells/")[2].partition("/")
    number = name.partition(".")[0]
    return bool(in_folder) and number.isdecimal() and int(number) in indices


def first_cell(key: str) -> int:
    """Return the first cell of the manifest, reported or published, with this key."""
    return int(key.rpartition("/")[2].partition(".")[0])


def _read_all(
    store: Store, record: JobRecord, found: Iterable[ObjectInfo]
) -> tuple[list[Manifest], list[str]]:
    infos = list(found)
    manifests = list(in_threads(lambda info: _read(store, record, info), infos))
    broken = [info.key for info, manifest in zip(infos, manifests, strict=True) if manifest is None]
    return [manifest for manifest in manifests if manifest], broken


def _read(store: Store, record: JobRecord, info: ObjectInfo) -> Manifest | None:
    """Describe a manifest from its key and its last line. Returns None if the manifest is broken."""
    first = first_cell(info.key)
    try:
        line = json.loads(_last_line(store, info))
        stop, folder = line["index"] + 1, folder_of(line["object"])
        packed = line.get("offset", 0) + line.get("length", 0)
    except (NotFound, ValueError, KeyError, TypeError, AttributeError):
        return None
    whole = stop == record.total or (stop % CELL == 0 and stop < record.total)
    if not whole or stop <= first * CELL or not folder:
        return None
    return Manifest(first, count_cells(stop), stop - first * CELL, folder, info.key, info.size, packed)


def _last_line(store: Store, info: ObjectInfo) -> bytes:
    length = 4096
    while True:
        tail = store.get(info.key, max(0, info.size - length)).rstrip(b"\n")
        _, newline, last = tail.rpartition(b"\n")
        if newline or length >= info.size:
            return last
        length *= 8
