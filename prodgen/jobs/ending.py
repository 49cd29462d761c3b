"""How a job ends: its manifests complete, ``state.json`` written, leftovers swept, the ledger told.

Every step may be repeated, by two processes at once or after a crash between any two of them.
"""

import logging
from datetime import UTC, datetime

from prodgen.errors import ProdgenError, Unavailable
from prodgen.jobs.manifests import choose, folder_of, load_record, load_state, publish, published, spans
from prodgen.jobs.record import JobRecord
from prodgen.ledger.entries import JobState, Progress
from prodgen.ledger.ledger import Ledger
from prodgen.storage import keys
from prodgen.storage.base import Store

log = logging.getLogger(__name__)


def settle_all(store: Store, ledger: Ledger) -> list[tuple[JobRecord, JobState]]:
    """`finish` every job that waits for it; those that ended now."""
    ended = []
    for job in ledger.finishing():
        progress = ledger.progress(job)
        try:
            record = progress and load_record(store, progress.tenant, job)
            state = record and finish(store, ledger, record)
        except Unavailable:
            raise
        except (ProdgenError, ValueError):
            log.exception("job %s cannot be finished", job)
            continue
        if record and state:
            ended.append((record, state))
    return ended


def finish(store: Store, ledger: Ledger, record: JobRecord) -> JobState | None:
    """Bring the end of a job into the store and settle it; None, and no end, while images are still owed.

    Call it right after a cancel as well, so that the cancel outlives the ledger.
    """
    state = load_state(store, record) or _end(store, ledger, record)
    if state:
        _sweep(store, record)
        ledger.settle(record.id, state)
    return state


def _end(store: Store, ledger: Ledger, record: JobRecord) -> JobState | None:
    epoch, progress = ledger.epoch(), ledger.progress(record.id)
    if progress is None or progress.state not in ("finishing", "cancelled"):
        return None
    folder = keys.job(record.tenant, record.id, "manifest/")
    there = {info.key for info in store.list(folder)}
    for first, token in ledger.won(record.id).items():
        own = keys.cell_folder(record.tenant, record.id, first, token) + ".jsonl"
        if keys.manifest(record.tenant, record.id, first) not in there and ledger.epoch() == epoch:
            publish(store, record, first, own)

    runs, broken = published(store, record)
    chosen = choose(runs)
    made = spans(chosen)
    dead = sorted(set(progress.dead) - made)
    missing = set(range(record.cells)) - made - set(dead)
    if ledger.epoch() != epoch:
        return None
    store.delete([*broken, *(run.manifest for run in set(runs).difference(chosen))])
    if missing and progress.state == "finishing":
        log.warning("job %s: %d cells are not in the store and are made again", record.id, len(missing))
        ledger.give_back(record.id, missing)
        return None

    state = _state(record, progress, made, dead)
    now = ledger.progress(record.id)
    if ledger.epoch() != epoch or now is None or now.state != progress.state:
        return None  # the ledger was rebuilt meanwhile, or another process came first
    data = state.model_dump_json(indent=1).encode()
    store.put(keys.job(record.tenant, record.id, "state.json"), data, "application/json")
    return state


def _state(record: JobRecord, progress: Progress, made: set[int], dead: list[int]) -> JobState:
    """The end; the same whoever writes it, since ``finished`` is when the ledger saw it."""
    done = sum(len(record.indices(cell, 1)) for cell in made)
    finished = datetime.fromtimestamp(progress.updated, UTC)
    if progress.state == "cancelled":
        return JobState(state="cancelled", done=done, dead=dead, finished=finished)
    if not dead:
        return JobState(state="succeeded", done=done, finished=finished)
    lost = sum(len(record.indices(cell, 1)) for cell in dead)
    error = f"{lost} of {record.total} images could not be made: {progress.error or 'no reason was given'}"
    return JobState(
        state="partial" if done else "failed", done=done, dead=dead, error=error, finished=finished
    )


def _sweep(store: Store, record: JobRecord) -> None:
    """Delete what no published manifest names: losers' images, and the tokens' own manifests."""
    runs, broken = published(store, record)
    if broken:
        log.warning("job %s: not swept, since %s cannot be read", record.id, broken[0])
        return
    kept = {run.folder for run in runs}
    found = store.list(keys.job(record.tenant, record.id, "cells/"))
    store.delete(info.key for info in found if info.key.endswith(".jsonl") or folder_of(info.key) not in kept)
