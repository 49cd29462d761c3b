"""Redis loses everything; the store brings it back."""

from pathlib import Path

from tests.faults.whole import IMAGES, ORDER, assert_whole, manifest, only_what_is_named
from tests.servers.process import wait_until
from tests.servers.up import PATIENCE, Up, wait_for_progress


def test_a_wiped_redis_costs_no_image(up: Up, tmp_path: Path) -> None:
    with up.client() as client:
        job = client.submit(ORDER)["id"]
        wait_for_progress(client, job, IMAGES // 10)

        up.ledger().client.flushall()

        assert_whole(client, up.store, job, tmp_path / "images")


def test_a_cancelled_job_stays_cancelled(up: Up) -> None:
    with up.client() as client:
        job = client.submit(ORDER)["id"]
        wait_for_progress(client, job, IMAGES // 10)
        cancelled = client.cancel(job)
        assert cancelled["state"] == "cancelled"

        ledger = up.ledger()
        ledger.client.flushall()
        wait_until(lambda: ledger.epoch() is not None, "the ledger is not rebuilt", PATIENCE)

        assert client.job(job)["state"] == "cancelled"
        assert ledger.backlog("bulk").images == 0
        wait_until(lambda: only_what_is_named(up.store, job), "stragglers leave images behind", PATIENCE)
        assert len(manifest(up.store, job)) == client.job(job)["done"] < IMAGES
