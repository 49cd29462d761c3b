"""What a gateway and a worker do for a job, without a model."""

import json
import os
import signal
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

from prodgen.jobs.ending import report
from prodgen.jobs.record import JobRecord
from prodgen.ledger.entries import JobState, Lease, Queue
from prodgen.ledger.ledger import Ledger
from prodgen.spec.finish import Finish
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.order import JobSpec
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.storage.local import LocalStore

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)

LINE = ManifestLine(
    index=0,
    seed=7,
    draw=0,
    attributes={"category": "bag"},
    model="bags@1",
    truncation=1.0,
    finish=Finish(),
    format="png",
    precision="fp32",
    file="",
    sha256="0" * 64,
).model_dump(mode="json", exclude_none=True)


def new_record(
    job: str,
    total: int,
    tenant: str = "ada",
    queue: Queue = "bulk",
    packaging: Literal["files", "tar"] = "tar",
    age: float = 0.0,
    keep: str | None = None,
) -> JobRecord:
    return JobRecord(
        id=job,
        tenant=tenant,
        created=MONDAY - timedelta(seconds=age),
        spec=JobSpec(model="bags", count=total, priority=queue),
        model="bags@1",
        model_prefix="shared/models/bags/1",
        total=total,
        packaging=packaging,
        keep=keep,
        request_digest="0" * 64,
    )


def write_order(store: Store, record: JobRecord) -> None:
    store.put(keys.job(record.tenant, record.id, "job.json"), record.model_dump_json().encode())


def order(store: Store, ledger: Ledger, record: JobRecord, weight: float = 1.0) -> JobRecord:
    """A job as the gateway enters it."""
    write_order(store, record)
    assert ledger.submit(record.entry(weight))
    return record


def paint(store: Store, record: JobRecord, lease: Lease, part: bool = False) -> bytes:
    """Write the images of a lease, or a part of them; the manifest."""
    folder = keys.cell_folder(record.tenant, record.id, lease.first, lease.token)
    indices = record.indices(lease.first, lease.cells)
    lines = []
    for index in indices[: len(indices) // 2] if part else indices:
        place = {"object": f"{folder}.tar", "offset": 512 * index, "length": 512}
        if record.packaging == "files":
            place = {"object": f"{folder}/{index:09d}.png"}
            store.put(str(place["object"]), b"image")
        lines.append(json.dumps({**LINE, "index": index, "draw": index, "file": f"{index:09d}.png", **place}))
    if record.packaging == "tar" and not part:
        store.put(f"{folder}.tar", b"images")
    return "".join(line + "\n" for line in lines).encode()


def work(store: Store, ledger: Ledger, record: JobRecord, lease: Lease) -> bool:
    """Make and report a lease."""
    return report(store, ledger, record, lease, paint(store, record, lease))


def work_off(store: Store, ledger: Ledger, *records: JobRecord, images: int = 128) -> None:
    """One tireless worker, until nothing is owed."""
    known = {record.id: record for record in records}
    for queue in ("interactive", "bulk"):
        while lease := ledger.lease(queue, "tireless", images):
            work(store, ledger, known[lease.job], lease)


def ended(store: Store, record: JobRecord) -> JobState:
    """state.json."""
    return JobState.model_validate_json(store.get(keys.job(record.tenant, record.id, "state.json")))


class DyingStore(LocalStore):
    """A local store, within which a process can be killed by ``kill -9``."""

    _writes: int | None = None

    def killed_before(self, writes: int, work: Callable[[], object]) -> None:
        """Do ``work`` in a process of its own, which is killed before its write number ``writes``, from 0."""
        child = os.fork()
        if not child:
            try:
                self._writes = writes
                work()
            finally:  # the copy of the tests must never run on
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

    def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        self._count()
        super().put(key, data, content_type)

    def delete(self, keys: Iterable[str]) -> None:
        self._count()
        super().delete(keys)

    def _count(self) -> None:
        if self._writes is not None:
            if self._writes <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self._writes -= 1
