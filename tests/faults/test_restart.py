"""The whole machine goes down, and comes up again on the same data."""

from pathlib import Path

from tests.faults.whole import IMAGES, ORDER, assert_whole
from tests.servers.process import wait_until
from tests.servers.up import Up, wait_for_progress


def test_kill_9_of_the_supervisor_leaves_no_process_and_costs_no_image(up: Up, tmp_path: Path) -> None:
    with up.client() as client:
        job = client.submit(ORDER)["id"]
        wait_for_progress(client, job, IMAGES // 10)

        up.kill_supervisor()

        wait_until(lambda: not up.processes(), "services outlive their supervisor")
        up.start()
        assert_whole(client, up.store, job, tmp_path / "images")


def test_an_orderly_stop_hands_the_job_to_the_next_start(up: Up, tmp_path: Path) -> None:
    with up.client() as client:
        job = client.submit(ORDER)["id"]
        wait_for_progress(client, job, IMAGES // 10)

        assert up.stop() == 0

        wait_until(lambda: not up.processes(), "processes outlive an orderly stop")
        assert not up.ready_file.exists()
        up.start()
        assert_whole(client, up.store, job, tmp_path / "images")
