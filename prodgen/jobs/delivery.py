"""List the images of a job by index, from the published manifests."""

from collections.abc import Iterator
from itertools import islice

from prodgen.jobs.record import JobRecord
from prodgen.ledger.entries import MAX_LEASE_CELLS
from prodgen.spec.manifest import ManifestLine, read_lines
from prodgen.spec.order import CELL
from prodgen.storage import keys
from prodgen.storage.base import Store


def page(
    store: Store, record: JobRecord, after: int = -1, limit: int = 100
) -> tuple[list[ManifestLine], int | None]:
    """Return a page of images: up to ``limit`` above index ``after``, and the ``after`` of the next page, if
    any.

    While a job runs, images may appear between those of earlier pages.
    """
    lines = list(islice(images(store, record, after), limit + 1))
    return lines[:limit], lines[limit - 1].index if len(lines) > limit else None


def images(store: Store, record: JobRecord, after: int = -1) -> Iterator[ManifestLine]:
    """Yield every image above index ``after`` once, in order. Reads one manifest at a time."""
    for key in _manifests(store, record, (after + 1) // CELL):
        lines = store.get(key).splitlines()
        skipped = max(0, after + 1 - _first(key) * CELL)
        for line in read_lines(b"\n".join(lines[skipped:])):
            if line.index > after:
                after = line.index
                yield line


def _manifests(store: Store, record: JobRecord, cell: int) -> Iterator[str]:
    """Yield the manifests that may hold cells from ``cell`` on: the last that begins at or before it, and
    later ones.

    A lease has at most `MAX_LEASE_CELLS` cells, so the listing need not begin earlier than that.
    """
    earliest = keys.manifest(record.tenant, record.id, max(0, cell - MAX_LEASE_CELLS + 1))
    before = ""
    for info in store.list(keys.job(record.tenant, record.id, "manifest/"), earliest.removesuffix(".jsonl")):
        if _first(info.key) <= cell:
            before = info.key
            continue
        if before:
            yield before
            before = ""
        yield info.key
    if before:
        yield before


def _first(manifest: str) -> int:
    return int(manifest.rpartition("/")[2].removesuffix(".jsonl"))
