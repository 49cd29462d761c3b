"""A retry whose worker is killed and whose Redis is wiped makes what is missing, and all is counted once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.faults.whole import IMAGES, ORDER, assert_whole
from tests.servers.up import Up, wait_for_progress


def test_a_retry_outlives_a_killed_worker_and_a_wiped_redis(up: Up, tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    with up.client() as client:
        before = sum(day["images"] for day in client.usage(today, today + timedelta(days=1)))
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        job = client.submit({**ORDER, "seed": 8, "finish_by": tomorrow})["id"]
        wait_for_progress(client, job, IMAGES // 10)
        ledger = up.ledger()
        ledger.client.zadd("prodgen:deadlines", {job: 1})  # as if the deadline had passed
        ledger.pass_deadlines()  # at once, so that workers cannot take everything before the next tick
        assert [event["state"] for event in client.watch(job)][-1] == "partial"
        done = client.job(job)["done"]
        assert len(list(client.failures(job))) == IMAGES - done

        client.retry(job)
        wait_for_progress(client, job, done + IMAGES // 10)
        up.kill("worker-1")
        ledger.client.flushall()

        assert_whole(client, up.store, job, tmp_path / "images")
        after = sum(day["images"] for day in client.usage(today, today + timedelta(days=1)))
        assert after - before == IMAGES
