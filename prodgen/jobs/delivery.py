"""List the images of a job by index, from the published manifests.

The manifest of a long lease has megabytes, but a page reads only the lines that it returns. Lines are sorted
by index and have about the same length, so a few short reads find a line by interpolation.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from prodgen.jobs.manifests import deleted_images, first_cell
from prodgen.jobs.record import JobRecord, find_record
from prodgen.ledger.entries import MAX_LEASE_CELLS
from prodgen.spec.manifest import ManifestLine, read_lines
from prodgen.spec.merkle import stored_leaves
from prodgen.spec.order import CELL
from prodgen.storage import keys
from prodgen.storage.base import ObjectInfo, Store

CHUNK = 1 << 20
"""Bytes of an object that one request reads."""

SCAN = 5000
"""The most images that one page of a search looks at."""

_LINE = 400
"""The assumed bytes of a line: the first guess of a search, and the average for the size of a page."""
_NEAR = 8192
"""The most bytes that are read before the first wanted line."""
_PROBE = 4096
"""Bytes of one short read that searches for the beginning of a line."""
_BATCH = 256
"""The most replacements of one order that are read at once."""
_PROBES = 8
"""The most short reads that search for a line."""
_START = re.compile(rb'\n\{"index": ?(\d+),')


class Replacement(NamedTuple):
    """The image that replaces a rejected image. It is made as image number ``place`` of the order ``job``."""

    attempt: int
    job: str
    place: int


def page(
    store: Store,
    record: JobRecord,
    after: int = -1,
    limit: int = 100,
    *,
    newest: bool = False,
    deleted: bool = False,
) -> tuple[list[ManifestLine], int | None]:
    """Return up to ``limit`` images above index ``after``, and the ``after`` of the next page, if any.

    While a job runs, later calls may find new images between the images of earlier pages. With ``newest``,
    the newest replacement takes the place of each rejected image, with its index, SKU and file name. With
    ``deleted``, the lines of deleted images are among the lines.
    """
    chunk = min(CHUNK, _NEAR + _LINE * (limit + 1))
    source = _newest_images if newest else images
    found = (line for line in source(store, record, after, chunk) if deleted or not line.deleted)
    lines = list(islice(found, limit + 1))
    return lines[:limit], lines[limit - 1].index if len(lines) > limit else None


def find_image(store: Store, record: JobRecord, index: int) -> ManifestLine | None:
    """Return the manifest line of the image at ``index``, or None if the image is not made.

    The line of a deleted image says so.
    """
    found, _ = page(store, record, index - 1, 1, deleted=True)
    return found[0] if found and found[0].index == index else None


def leaf_at(store: Store, record: JobRecord, index: int) -> bytes:
    """Return the leaf of image ``index`` in the job's Merkle tree, even if the rest of its line is broken.

    Returns b"" if the image has no manifest line.
    """
    for info in islice(_manifests(store, record, index // CELL), 1):
        place = index - first_cell(info.key) * CELL
        return b"".join(stored_leaves(store.get(info.key))[place : place + 1])
    return b""


def read_image(store: Store, line: ManifestLine) -> bytes:
    """Return the file of an image, from its own object or from a tar. Raises NotFound if there is none."""
    return store.get(line.object or "", line.offset or 0, line.length)


def search(
    store: Store,
    record: JobRecord,
    fits: Callable[[ManifestLine], bool],
    after: int = -1,
    limit: int = 100,
    *,
    newest: bool = False,
) -> tuple[list[ManifestLine], int | None]:
    """Return a page like `page`, without deleted images, of the images for which ``fits`` is true.

    A page looks at `SCAN` images at most, so it may be short or empty although more pages follow.
    """
    found = list[ManifestLine]()
    source = _newest_images if newest else images
    for scanned, line in enumerate(source(store, record, after, CHUNK)):
        if len(found) == limit or scanned == SCAN:
            return found, after
        after = line.index
        if not line.deleted and fits(line):
            found.append(line)
    return found, None


def images(store: Store, record: JobRecord, after: int = -1, chunk: int = CHUNK) -> Iterator[ManifestLine]:
    """Yield the line of each image above index ``after``, by index. The line of a deleted image says so.

    Reads ``chunk`` bytes at once.
    """
    deleted = deleted_images(store, record, after)
    for info in _manifests(store, record, (after + 1) // CELL):
        offset = _seek(store, info, after + 1)
        for line in read_lines(lines_of(store, info.key, info.size, offset, chunk)):
            if line.index > after:
                after = line.index
                yield line.model_copy(update={"deleted": True}) if line.index in deleted else line


def _newest_images(store: Store, record: JobRecord, after: int, chunk: int) -> Iterator[ManifestLine]:
    """Yield images like `images`, but the newest finished replacement in place of each rejected image."""
    replaced = replacements(store, record, after)
    yield from map(newest_of(store, record, replaced, chunk), images(store, record, after, chunk))


def newest_of(
    store: Store, record: JobRecord, replaced: dict[int, list[Replacement]], chunk: int = CHUNK
) -> Callable[[ManifestLine], ManifestLine]:
    """Return a function from an image of the job to its newest finished replacement, or to the image itself.

    ``replaced``: what `replacements` returns. Call the function with images sorted by index: it reads many
    replacements of an order at once.
    """
    batch = min(_BATCH, len(replaced))
    read: dict[str, dict[int, ManifestLine | None]] = {}

    def made(one: Replacement) -> ManifestLine | None:
        """Return the line of a replacement; None if it is not made, or deleted. Reads the next lines, too."""
        if one.place not in read.get(one.job, ()):
            read[one.job] = dict.fromkeys(range(one.place, one.place + batch))
            if other := find_record(store, record.tenant, one.job):
                found = islice(images(store, other, one.place - 1, chunk), batch)
                read[one.job] |= {line.index: line for line in found if not line.deleted}
        return read[one.job][one.place]

    def newest(line: ManifestLine) -> ManifestLine:
        found = next(filter(None, map(made, reversed(replaced.get(line.index, [])))), None)
        places = {"index": line.index, "sku": line.sku, "file": line.file}
        return found.model_copy(update=places) if found else line

    return newest


def replacements(store: Store, record: JobRecord, after: int = -1) -> dict[int, list[Replacement]]:
    """Return the replacements of each rejected image above index ``after``, by the image's index.

    The replacements of an image are sorted by attempt, and may not be made yet.
    """
    found = dict[int, list[Replacement]]()
    prefix = keys.job(record.tenant, record.id, "replaced/")
    for info in store.list(prefix, f"{prefix}{after + 1:09d}"):
        index, attempt, job, place = info.key.removeprefix(prefix).split(".")
        found.setdefault(int(index), []).append(Replacement(int(attempt), job, int(place)))
    return found


def lines_of(store: Store, key: str, size: int, offset: int = 0, chunk: int = CHUNK) -> Iterator[bytes]:
    """Yield the lines of a manifest of ``size`` bytes from ``offset`` on. Reads ``chunk`` bytes at once."""
    rest = b""
    for start in range(offset, size, chunk):
        *lines, rest = (rest + store.get(key, start, min(chunk, size - start))).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _seek(store: Store, info: ObjectInfo, index: int) -> int:
    """Return the offset, in a manifest, of the line of image ``index`` or of a line shortly before it."""
    start, number, bytes_per_line = 0, first_cell(info.key) * CELL, float(_LINE)
    for _ in range(_PROBES):
        guess = start + int((index - number) * bytes_per_line) - _NEAR // 2
        guess = min(guess, info.size - 2 * _PROBE)
        if guess <= start:
            break
        found = _START.search(store.get(info.key, guess, _PROBE))
        if found is None:  # a line longer than a probe
            break
        at, there = guess + found.start() + 1, int(found[1])
        bytes_per_line = (at - start) / max(1, there - number)
        if there <= index:
            start, number = at, there
    return start


def _manifests(store: Store, record: JobRecord, cell: int) -> Iterator[ObjectInfo]:
    """Yield the manifests that may hold cells from ``cell`` on, in order.

    Begins with the last manifest whose first cell is at or before ``cell``. A lease has at most
    `MAX_LEASE_CELLS` cells, so the listing begins that many cells before ``cell``.
    """
    earliest = keys.manifest(record.tenant, record.id, max(0, cell - MAX_LEASE_CELLS + 1))
    before: ObjectInfo | None = None
    for info in store.list(keys.job(record.tenant, record.id, "manifest/"), earliest.removesuffix(".jsonl")):
        if before and first_cell(info.key) > cell:
            yield before
        before = info
    if before:
        yield before
