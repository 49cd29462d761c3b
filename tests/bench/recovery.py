"""How long a lost ledger takes to come back from the store: ``python -m tests.bench.recovery --jobs 10000``.

Writes jobs of 320 images, of which every second one has ended, into a local store or (``--s3``) the S3 server
of the tests. Then measures `recover` after a wipe of Redis, and `ensure` after a restart that lost nothing.
"""

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from prodgen.ledger.entries import JobState, Lease
from prodgen.ledger.ledger import Ledger
from prodgen.recovery import ensure, recover
from prodgen.storage import keys
from prodgen.storage.base import Store, in_threads
from prodgen.storage.local import LocalStore
from prodgen.storage.s3 import S3Store
from tests.jobs.workshop import new_record, paint, write_order
from tests.servers.swift import S3Server
from tests.servers.valkey import ValkeyServer

IMAGES = 320
"""Five cells."""


def main() -> None:
    """Measure, and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000, help="jobs in the store")
    parser.add_argument("--s3", action="store_true", help="use the S3 server of the tests")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        server, s3 = ValkeyServer(folder / "valkey"), S3Server(folder / "swift")
        store: Store = _Quick(folder / "store", "a-secret", "http://store.test")
        try:
            server.start()
            if options.s3:
                s3.start()
                store = S3Store("bench", s3.endpoint, s3.access_key, s3.secret_key)
            _measure(store, server, options.jobs)
        finally:
            server.kill()
            s3.kill()


class _Quick(LocalStore):
    """A local store that does not wait for the disk while the jobs are written."""

    def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        path = Path(self._path(key))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _measure(store: Store, server: ValkeyServer, jobs: int) -> None:
    for _ in in_threads(lambda number: _write_job(store, number), range(jobs)):
        pass
    ledger = Ledger(server.client())
    seconds = _timed(lambda: recover(store, ledger))
    backlog = ledger.backlog("bulk")
    assert backlog.images == jobs // 2 * (IMAGES - 128), backlog
    print(f"{jobs:,} jobs after a wipe: {seconds:.1f} s")
    ledger.client.set(f"{ledger.prefix}server", "an earlier run")
    print(f"{jobs:,} jobs after a restart: {_timed(lambda: ensure(store, ledger)):.1f} s")


def _write_job(store: Store, number: int) -> None:
    """Write a job: with a state.json if its number is even, else with two of its five cells made."""
    record = new_record(f"job-{number:07d}", IMAGES, tenant=f"tenant-{number % 10}")
    write_order(store, record)
    lease = Lease("1-1", record.id, record.tenant, 0, 2 if number % 2 else record.cells, alone=False)
    manifest = paint(store, record, lease)
    store.put(keys.manifest(record.tenant, record.id, 0), manifest)
    if number % 2:
        reported = f"{keys.cell_folder(record.tenant, record.id, 0, lease.token)}.jsonl"
        store.put(reported, manifest)
    else:
        state = JobState(state="succeeded", done=IMAGES, finished=datetime.now(UTC))
        store.put(keys.job(record.tenant, record.id, "state.json"), state.model_dump_json().encode())


def _timed(act: Callable[[], object]) -> float:
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
