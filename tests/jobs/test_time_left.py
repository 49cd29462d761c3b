"""The time left of an order follows its own pace, and is no number while nothing can be foreseen."""

from dataclasses import replace
from typing import Any

import pytest
import redis

from prodgen.jobs.time_left import NO_WORKER, UNKNOWN_MODEL, TimeLeft, time_left
from prodgen.ledger.entries import JobEntry
from prodgen.ledger.ledger import Ledger

MODEL = "shoes@0123456789ab"


def left(ledger: Ledger, job: str = "j") -> TimeLeft:
    progress = ledger.progress(job)
    assert progress
    return time_left(ledger, progress)


def make(ledger: Ledger, leases: int) -> None:
    for _ in range(leases):
        lease = ledger.lease("bulk", "w", 64)
        assert lease
        assert ledger.complete(lease.token)


@pytest.fixture
def order(ledger: Ledger) -> JobEntry:
    entry = JobEntry(id="j", tenant="ada", queue="bulk", total=6400, model=MODEL)
    ledger.submit(entry)
    return entry


def test_an_order_without_a_pace_takes_what_its_quote_says(ledger: Ledger, order: JobEntry) -> None:
    assert left(ledger) == (None, NO_WORKER)
    ledger.report_worker("w", {})
    assert left(ledger) == (None, UNKNOWN_MODEL)
    ledger.report_worker("w", {MODEL: 64.0})
    assert left(ledger) == (100.0, None)
    ledger.submit(replace(order, id="other"))
    assert left(ledger) == (200.0, None)
    ledger.lease("bulk", "w", 6400)  # a lease is no progress, and its images are not made yet
    assert left(ledger).seconds_left == pytest.approx(200, rel=0.5)


def test_an_order_that_runs_takes_what_its_recent_pace_says(
    ledger: Ledger, order: JobEntry, client: redis.Redis
) -> None:
    ledger.report_worker("w", {MODEL: 1e6})
    make(ledger, 10)
    age(client, [400.0 - 2 * k for k in range(12)])
    slow, _ = left(ledger)
    assert slow == pytest.approx((6400 - 640) / (256 / 384), rel=0.1), "nothing was made lately"
    make(ledger, 70)
    events: Any = client.xrange("prodgen:job:j:events")
    age(client, [2.0 * (len(events) - k) for k in range(len(events))])
    assert left(ledger).seconds_left == pytest.approx(1280 / 32, rel=0.3)


def test_a_paused_order_and_one_that_is_resumed_say_no_old_pace(ledger: Ledger, order: JobEntry) -> None:
    ledger.report_worker("w", {MODEL: 64.0})
    make(ledger, 50)
    ledger.control("j", "bulk", paused=True)
    assert left(ledger) == (None, "the order is paused")
    ledger.control("j", "bulk", paused=False)
    assert left(ledger) == (50.0, None)
    ledger.cancel("j")
    assert left(ledger) == (None, None)


def age(client: redis.Redis, ages: list[float]) -> None:
    """Replace the times of the job's events, which are so many seconds old then."""
    key = "prodgen:job:j:events"
    events: Any = client.xrange(key)
    assert len(events) == len(ages)
    client.delete(key)
    seconds, microseconds = client.time()
    for (_, fields), old in zip(events, ages, strict=True):
        at = round((seconds + microseconds / 1e6 - old) * 1000)
        client.xadd(key, fields, id=f"{at}-0")
