"""What the store holds of a job: runs of cells, each a manifest and the images that it names."""

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from prodgen.errors import NotFound
from prodgen.jobs.record import JobRecord
from prodgen.ledger.entries import JobState
from prodgen.spec.order import CELL, cells
from prodgen.storage import keys
from prodgen.storage.base import ObjectInfo, Store

T = TypeVar("T")
R = TypeVar("R")

Beat = Callable[[], None]
"""Called between the steps of long work, to say that it goes on; raises to stop it."""

THREADS = 8
"""That many requests to the store at once."""


@dataclass(frozen=True, order=True)
class Run:
    """Cells [first, end), whose images lie under ``folder`` (``{first:09d}.{token}``), says ``manifest``."""

    first: int
    end: int
    images: int
    folder: str
    manifest: str

    @property
    def span(self) -> range:
        """The cells."""
        return range(self.first, self.end)


def load_record(store: Store, tenant: str, job: str) -> JobRecord:
    """What was ordered; raises NotFound."""
    return JobRecord.model_validate_json(store.get(keys.job(tenant, job, "job.json")))


def load_state(store: Store, record: JobRecord) -> JobState | None:
    """How the job ended, if it has."""
    with suppress(NotFound):
        return JobState.model_validate_json(store.get(keys.job(record.tenant, record.id, "state.json")))
    return None


def published(store: Store, record: JobRecord, beat: Beat = lambda: None) -> tuple[list[Run], list[str]]:
    """The runs whose manifests are published, and the keys of manifests that are unreadable."""
    return _runs(store, record, store.list(keys.job(record.tenant, record.id, "manifest/")), beat)


def published_at(store: Store, record: JobRecord, first: int) -> Run | None:
    """The published run that begins at cell ``first``."""
    with suppress(NotFound):
        return _run(store, record, store.stat(keys.manifest(record.tenant, record.id, first)))
    return None


def reported(store: Store, record: JobRecord, beat: Beat = lambda: None) -> list[Run]:
    """The runs that some lease has made whole, whether or not it was counted."""
    found = store.list(keys.job(record.tenant, record.id, "cells/"))
    return _runs(store, record, (info for info in found if info.key.endswith(".jsonl")), beat)[0]


def choose(candidates: Iterable[Run], given: Iterable[Run] = ()) -> list[Run]:
    """Of the candidates that share no cell with ``given``, those that hold most images, each cell once.

    Counted leases share no cell, so whatever is chosen holds no fewer images than the ledger had counted.
    """
    held = spans(given)
    runs = sorted((run for run in candidates if held.isdisjoint(run.span)), key=lambda run: (run.end, run))
    ends = [run.end for run in runs]
    most = [0]  # images, by the number of runs considered
    for at, run in enumerate(runs):
        most.append(max(most[-1], most[bisect_right(ends, run.first, hi=at)] + run.images))
    chosen: list[Run] = []
    at = len(runs)
    while at:
        at -= 1
        if most[at + 1] > most[at]:
            chosen.append(runs[at])
            at = bisect_right(ends, runs[at].first, hi=at)
    return chosen[::-1]


def publish(store: Store, record: JobRecord, first: int, token_manifest: str) -> bool:
    """Make a lease's own manifest the one that readers see; False if it is not there."""
    try:
        lines = store.get(token_manifest)
    except NotFound:
        return False
    store.put(keys.manifest(record.tenant, record.id, first), lines, "application/jsonl")
    return True


def spans(runs: Iterable[Run]) -> set[int]:
    """All the cells of the runs."""
    return {cell for run in runs for cell in run.span}


def in_threads(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """``work`` on each item, a few at once; the first failure stops it all."""
    pool = ThreadPoolExecutor(THREADS)
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(cancel_futures=True)


def folder_of(key: str) -> str:
    """``{first:09d}.{token}`` of an object under cells/, be it a tar, a manifest or an image."""
    name = key.partition("/cells/")[2].partition("/")[0]
    return name.removesuffix(".tar").removesuffix(".jsonl")


def _runs(
    store: Store, record: JobRecord, found: Iterable[ObjectInfo], beat: Beat
) -> tuple[list[Run], list[str]]:
    def look(info: ObjectInfo) -> Run | None:
        beat()
        return _run(store, record, info)

    infos = []
    for info in found:
        beat()
        infos.append(info)
    runs = list(in_threads(look, infos))
    broken = [info.key for info, run in zip(infos, runs, strict=True) if run is None]
    return [run for run in runs if run], broken


def _run(store: Store, record: JobRecord, info: ObjectInfo) -> Run | None:
    """The run of a manifest, by its name and its last line alone; None if it is broken."""
    first = int(info.key.rpartition("/")[2][:9])
    try:
        line = json.loads(_last_line(store, info))
        stop, folder = line["index"] + 1, folder_of(line["object"])
    except (NotFound, ValueError, KeyError, TypeError, AttributeError):
        return None
    whole = stop == record.total or (stop % CELL == 0 and stop < record.total)
    if not whole or stop <= first * CELL or not folder:
        return None
    return Run(first, cells(stop), stop - first * CELL, folder, info.key)


def _last_line(store: Store, info: ObjectInfo) -> bytes:
    length = 4096
    while True:
        tail = store.get(info.key, max(0, info.size - length)).rstrip(b"\n")
        _, newline, last = tail.rpartition(b"\n")
        if newline or length >= info.size:
            return last
        length *= 8
