"""``kill -9`` of one process in the middle of a job."""

import signal
from pathlib import Path

import pytest

from tests.faults.whole import IMAGES, ORDER, assert_whole
from tests.servers.up import Up, wait_for_progress


@pytest.mark.parametrize("service", ["worker-1", "broker", "beat"])
def test_a_killed_process_costs_no_image(up: Up, tmp_path: Path, service: str) -> None:
    with up.client() as client:
        job = client.submit(ORDER)["id"]
        wait_for_progress(client, job, IMAGES // 10)

        pid = up.kill(service)

        assert_whole(client, up.store, job, tmp_path / "images")
    up.wait_replaced(service, pid)


def test_workers_that_are_scaled_to_zero_and_back_lose_neither_a_cell_nor_time(
    up: Up, tmp_path: Path
) -> None:
    with up.client() as client:
        lost = up.ledger().backlog("bulk").lost
        job = client.submit(ORDER)["id"]
        wait_for_progress(client, job, IMAGES // 10)

        stopped = {name: up.kill(name, signal.SIGTERM) for name in ("worker-1", "worker-2")}

        for name, pid in stopped.items():
            up.wait_replaced(name, pid)
        assert_whole(client, up.store, job, tmp_path / "images")
        assert up.ledger().backlog("bulk").lost == lost, "a lease waited for its deadline"


def test_an_order_that_was_accepted_outlives_the_gateway(up: Up, tmp_path: Path) -> None:
    with up.client() as client:
        job = client.submit(ORDER)["id"]

        pid = up.kill("gateway")

        up.wait_replaced("gateway", pid)
        assert_whole(client, up.store, job, tmp_path / "images")
