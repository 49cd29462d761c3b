"""End leases and jobs: report or discard the images of a lease, and settle a job.

To settle a job is to write its end into the store, to delete leftovers, and to close it in the ledger. Two
processes may do so at once, and a crash may happen between any two steps. The order of all steps is the
protocol of ``docs/explanation/ledger-and-store.md``.
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

from prodgen import traces
from prodgen.errors import ProdgenError, Unavailable
from prodgen.jobs.false_leases import find_false_leases
from prodgen.jobs.machines import shut_out
from prodgen.jobs.manifests import (
    Manifest,
    cell_digests,
    cells_of,
    choose,
    deleted_images,
    folder_of,
    is_image_of,
    publish,
    published,
    published_at,
)
from prodgen.jobs.proofs import keep_digests
from prodgen.jobs.record import JobRecord, find_record, load_control, load_last_state, load_record, load_state
from prodgen.jobs.usage import record_usage
from prodgen.jobs.webhooks import announce
from prodgen.ledger.entries import JobState, Lease, Progress
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.scripts import LedgerLost
from prodgen.spec.merkle import tree_of
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.storage.due import make_due

log = logging.getLogger(__name__)


LARGE = 200_000
"""The most images of a small job. A larger job takes a second or more to settle: all manifests are read."""


def finishing_by_size(ledger: Ledger) -> tuple[list[str], list[str]]:
    """Return the ids of the jobs that can be settled: jobs of at most `LARGE` images, and larger jobs."""
    small, large = list[str](), list[str]()
    for job in ledger.finishing():
        progress = ledger.progress(job)
        (large if progress and progress.total > LARGE else small).append(job)
    return small, large


def settle_jobs(
    store: Store, ledger: Ledger, jobs: Iterable[str] | None = None
) -> list[tuple[JobRecord, JobState]]:
    """Settle ``jobs`` (ids), by default every job that is finishing or cancelled.

    Returns the record and the end of each settled job. Logs and skips a job that cannot be settled.
    """
    settled = []
    for job in ledger.finishing() if jobs is None else jobs:
        progress = ledger.progress(job)
        try:
            record = progress and load_record(store, progress.tenant, job)
            state = record and settle_job(store, ledger, record)
        except Unavailable:
            raise
        except (ProdgenError, ValueError):
            log.exception("job %s cannot be settled", job)
            continue
        if record and state:
            settled.append((record, state))
    return settled


def settle_job(store: Store, ledger: Ledger, record: JobRecord) -> JobState | None:
    """Settle one job and return its end. If the job must not end now (see `_write_state`), return None.

    The gateway calls this right after a cancel, so that the cancel survives the loss of the ledger.
    """
    ids = {"tenant": record.tenant, "job": record.id}
    with traces.span("order.settle", record.traceparent, ids):
        state = load_state(store, record) or _write_state(store, ledger, record)
        if state:
            record_usage(store, record, state)
            sweep(store, record, state)
            ledger.close(record.id, state)
        return state


def _write_state(store: Store, ledger: Ledger, record: JobRecord) -> JobState | None:
    """Publish manifests that a crash left unpublished, delete manifests that do not count, write state.json.

    Returns the state, or None if the job must not end now: images are still owed, cells are missing and are
    owed again, another process settled the job, or the ledger was rebuilt meanwhile and has a new epoch
    (``docs/explanation/ledger-and-store.md``).
    """
    epoch, progress = ledger.epoch(), ledger.progress(record.id)
    if progress is None or progress.state not in ("finishing", "cancelled"):
        return None
    _publish_winners(store, ledger, record, epoch)
    manifests, broken = published(store, record)
    deleted = deleted_images(store, record) if progress.retries else set[int]()  # only after an end
    stored = sizes_of(store, record, deleted)
    emptied = {m.folder for m in manifests if deleted.issuperset(record.indices(m.first, len(m.cells)))}
    false = find_false_leases(store, record, manifests, ledger.won(record.id), stored.keys() | emptied)
    chosen = choose(manifest for manifest in manifests if manifest.key not in false.keys)
    made = cells_of(chosen)
    dead = sorted(set(ledger.dead(record.id)) - made)
    missing = set(range(record.cells)) - made - set(dead)
    if not _may_end(ledger, record, epoch, progress):
        return None  # before anything is deleted, or a machine shut out, by what may be out of date
    for first, reported_key in false.overwritten.items():
        publish(store, record, first, reported_key)
    if false.overwritten:
        return None  # the next call reads what is published now
    for machine, why in false.liars.items():
        shut_out(store, ledger, machine, record.id, why)
    uncounted = {manifest.key for manifest in set(manifests).difference(chosen)}
    store.delete([*broken, *sorted(uncounted | false.keys)])
    if missing and progress.state == "finishing":
        log.warning("job %s: %d cells are not in the store and are made again", record.id, len(missing))
        ledger.give_back(record.id, missing)
        return None

    size = bytes_of(stored, chosen)
    state = _state(record, progress, made, dead)
    errors = {cell: error for cell, error in sorted(ledger.errors(record.id).items()) if cell not in made}
    # None if cancelled: the gateway answers a cancel itself, and must not read all manifests before
    digests = None if state.state == "cancelled" else cell_digests(store, chosen)
    root = None if digests is None else tree_of(digests).root()
    retried = _retry_fields(store, record, progress)
    state = state.model_copy(update={"bytes": size, "errors": errors, "root": root, **retried})
    if not _may_end(ledger, record, epoch, progress):
        return None
    # before the end is written, so that no end lacks its entry
    if expires := record.expires(state.finished, load_control(store, record)):
        make_due(store, expires, record.tenant, record.id)
    keep_digests(store, record, digests or [])
    announce(store, record)  # before state.json, so that a crash in between forgets no webhook
    data = state.model_dump_json(indent=1).encode()
    store.put(keys.job(record.tenant, record.id, "state.json"), data, "application/json")
    return state


def _may_end(ledger: Ledger, record: JobRecord, epoch: str | None, before: Progress) -> bool:
    """Return False if the ledger was rebuilt since ``before`` was read, or the job ended or was retried."""
    now = ledger.progress(record.id)
    unchanged = now and (now.state, now.retries) == (before.state, before.retries)
    return bool(unchanged) and ledger.epoch() == epoch and record.id in ledger.finishing()


def _publish_winners(store: Store, ledger: Ledger, record: JobRecord, epoch: str | None) -> None:
    """Publish the manifests of leases that the ledger counted, but whose workers died before publishing."""
    there = {info.key for info in store.list(keys.job(record.tenant, record.id, "manifest/"))}
    for first, token in ledger.won(record.id).items():
        reported_key = keys.cell_folder(record.tenant, record.id, first, token) + ".jsonl"
        if keys.manifest(record.tenant, record.id, first) not in there and ledger.epoch() == epoch:
            publish(store, record, first, reported_key)


def bytes_of(sizes: Mapping[str, int], manifests: Iterable[Manifest]) -> int:
    """Return the bytes of the files of ``manifests``. ``sizes``: what `sizes_of` returned."""
    return sum(sizes.get(folder, 0) for folder in {manifest.folder for manifest in manifests})


def sizes_of(store: Store, record: JobRecord, deleted: Collection[int]) -> dict[str, int]:
    """Return the bytes of the files of each lease that has any, by the lease's folder.

    Files of the ``deleted`` images do not count.
    """
    sizes = Counter[str]()
    for info in store.list(keys.job(record.tenant, record.id, "cells/")):
        if not info.key.endswith(".jsonl") and not is_image_of(info.key, deleted):
            sizes[folder_of(info.key)] += info.size
    return sizes


def _state(record: JobRecord, progress: Progress, made: set[int], dead: list[int]) -> JobState:
    """Return the end of the job. Every process computes the same end: ``finished`` comes from the ledger."""
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


def _retry_fields(store: Store, record: JobRecord, progress: Progress) -> dict[str, int]:
    """Return the number of retries, and the images and bytes delivered before the last retry, as fields.

    The fields are of the job's end. Returns {} if the job was not retried.
    """
    before = load_last_state(store, record) if progress.retries else None
    if before is None:
        return {}
    if before.retries == progress.retries:  # another process has just written this end
        done, size = before.done_before, before.bytes_before
    else:
        done, size = before.done + before.withdrawn, (before.bytes or 0) + before.bytes_withdrawn
    return {"retries": progress.retries, "done_before": done, "bytes_before": size}


def sweep_leftovers(store: Store, record: JobRecord, state: JobState) -> None:
    """Sweep an ended job and record its usage, if the process that wrote state.json died before it did so.

    A sweep deletes all reported manifests, so a job that has none left was swept.
    """
    if any(name.endswith(".jsonl") for name in store.names(keys.job(record.tenant, record.id, "cells/"))):
        record_usage(store, record, state)
        sweep(store, record, state)


def sweep(store: Store, record: JobRecord, state: JobState) -> None:
    """Delete images of uncounted leases, images that were deleted from the job, and reported manifests.

    Lists the objects first, then checks that ``state`` is still the end of the job, and deletes nothing if a
    retry has begun. So it never deletes an object that a lease of a retry has written.
    """
    manifests, broken = published(store, record)
    if broken:
        log.warning("job %s was not swept, since %s cannot be read", record.id, broken[0])
        return
    kept, deleted = {manifest.folder for manifest in manifests}, deleted_images(store, record)
    found = [info.key for info in store.list(keys.job(record.tenant, record.id, "cells/"))]
    reported = [key for key in found if key.endswith(".jsonl")]
    left = [key for key in found if folder_of(key) not in kept or is_image_of(key, deleted)]
    if load_state(store, record) == state:
        store.delete([*left, *reported])  # these last: they show `sweep_leftovers` what a crash has left


def report(store: Store, ledger: Ledger, record: JobRecord, lease: Lease, manifest: bytes) -> bool:
    """Report a lease to the ledger, after its worker has stored the images and made their ``manifest``.

    Returns whether the ledger counts the images. If it does not, the caller must delete nothing, because a
    recovery may have published the images. The caller may repeat the call after Unavailable.
    """
    store.put(f"{_folder(lease)}.jsonl", manifest, "application/jsonl")
    try:
        counted = ledger.complete(lease.token)
    except LedgerLost:
        _discard_if_ended(store, record, lease)
        raise
    if not counted:
        _discard_if_ended(store, record, lease)
        return False
    if lease.token.partition("-")[0] == ledger.epoch():  # else a recovery has published these cells
        store.put(keys.manifest(record.tenant, record.id, lease.first), manifest, "application/jsonl")
    return True


def discard(store: Store, record: JobRecord, lease: Lease) -> None:
    """Delete the images of a lease that was lost before it was counted, unless a recovery published them."""
    manifest = published_at(store, record, lease.first)
    folder = _folder(lease)
    if manifest and folder.endswith(manifest.folder):
        store.delete([f"{folder}.jsonl"])
        return
    store.delete([f"{folder}.jsonl", f"{folder}.tar", *(info.key for info in store.list(f"{folder}/"))])


def _discard_if_ended(store: Store, record: JobRecord, lease: Lease) -> None:
    """Discard the lease's images if the job is settled or deleted: no later sweep would delete them."""
    if load_state(store, record) or find_record(store, record.tenant, record.id) is None:
        discard(store, record, lease)


def _folder(lease: Lease) -> str:
    return keys.cell_folder(lease.tenant, lease.job, lease.first, lease.token)
