"""A worker that sleeps past its lease, and wakes when another has done its work."""

import os
import signal
from pathlib import Path

import psutil

from tests.faults.whole import ORDER, assert_once, assert_whole, manifest
from tests.servers.process import wait_until
from tests.servers.up import PATIENCE, Up


def stopped_with_a_lease(up: Up, pid: int) -> bool:
    """Stop the worker, and return whether it holds a lease; one without a lease continues."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, "the worker does not stop")
    if up.leases(pid):
        return True
    os.kill(pid, signal.SIGCONT)
    return False


def test_a_worker_that_wakes_late_changes_nothing(up: Up, tmp_path: Path) -> None:
    pid = up.pids["worker-1"]
    with up.client() as client:
        job = client.submit(ORDER)["id"]
        wait_until(lambda: stopped_with_a_lease(up, pid), "the worker takes no lease", PATIENCE)
        try:
            lost = up.leases(pid)
            assert_whole(client, up.store, job, tmp_path / "images")
            published = manifest(up.store, job)
            seen = up.log("worker-1").count("dropped, the lease was lost")
        finally:
            os.kill(pid, signal.SIGCONT)

        gave_up = seen + len(lost)
        wait_until(
            lambda: up.log("worker-1").count("dropped, the lease was lost") >= gave_up,
            "the worker goes on",
            PATIENCE,
        )
        assert manifest(up.store, job) == published
        assert_once(up.store, job, client.job(job)["total"])
        assert client.job(job)["done"] == client.job(job)["total"]
