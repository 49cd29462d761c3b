"""A tenant gets no more than it may have, and a refusal says which limit and when there is room."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from prodgen import tenants
from prodgen.errors import Forbidden, ProdgenError, TooManyRequests
from prodgen.jobs import quotas
from prodgen.jobs.deletion import DeletedJobs
from prodgen.jobs.ending import settle_jobs
from prodgen.jobs.quotas import measure_stored
from prodgen.jobs.record import JobRecord
from prodgen.jobs.submission import submit
from prodgen.ledger.ledger import Ledger
from prodgen.recovery import recover
from prodgen.registry.publish import publish
from prodgen.settings import Settings
from prodgen.spec.names import stable_id
from prodgen.spec.order import JobSpec
from prodgen.tenants import set_grant
from tests.jobs.workshop import DyingStore, work_off
from tests.sample_models import write_model


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DyingStore:
    monkeypatch.setattr(tenants, "CACHE_SECONDS", 0.0)
    store = DyingStore(tmp_path / "store", "secret", "http://127.0.0.1:1")
    publish(store, write_model(tmp_path / "shoes"), "shoes", None)
    return store


def place(store: DyingStore, ledger: Ledger, key: str, count: int) -> JobRecord:
    return submit(store, ledger, Settings(), "ada", JobSpec(model="shoes", count=count), key)[0]


def test_a_day_has_so_many_images_even_if_orders_are_deleted_or_redis_is_wiped(
    store: DyingStore, ledger: Ledger
) -> None:
    set_grant(store, "ada", images_per_day=100)
    first = place(store, ledger, "a", 60)
    with pytest.raises(TooManyRequests) as refusal:
        place(store, ledger, "b", 41)
    assert re.fullmatch(
        r"this tenant may order 100 images a day and has ordered 60; order this after midnight UTC, "
        r"in (\d+ h )?\d+ min",
        str(refusal.value),
    )
    assert 0 < (refusal.value.retry_after or 0) <= 86400
    assert place(store, ledger, "a", 60) == first, "the same order again"
    with pytest.raises(Forbidden, match="asks for 101 images; this tenant may order 100 a day"):
        place(store, ledger, "c", 101)
    work_off(store, ledger, first)
    settle_jobs(store, ledger)
    DeletedJobs(store).delete(ledger, "ada", first.id)
    for _ in range(2):
        with pytest.raises(TooManyRequests, match="has ordered 60;"):
            place(store, ledger, "b", 41)
        ledger.client.flushdb()
        assert recover(store, ledger)
    place(store, ledger, "d", 40)


def test_orders_at_once_do_not_exceed_a_quota_together(store: DyingStore, ledger: Ledger) -> None:
    set_grant(store, "ada", images_per_day=100)

    def try_to(key: str) -> bool:
        try:
            return bool(place(store, ledger, key, 30))
        except TooManyRequests:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_to, "abcdefgh")) == 3


def test_images_that_are_made_leave_the_queue(store: DyingStore, ledger: Ledger) -> None:
    set_grant(store, "ada", queued_images=100)
    first = place(store, ledger, "a", 90)
    message = "may have 100 images queued and has 90; order this when 20 of them are made"
    with pytest.raises(TooManyRequests, match=message):
        place(store, ledger, "b", 30)
    lease = ledger.lease("bulk", "w", 64)
    assert lease
    ledger.complete(lease.token)
    second = place(store, ledger, "b", 30)
    with pytest.raises(TooManyRequests, match="has 56;"):
        place(store, ledger, "c", 50)
    ledger.cancel(second.id)
    ledger.cancel(first.id)
    settle_jobs(store, ledger)
    place(store, ledger, "c", 100)


def test_a_gateway_killed_after_it_admitted_an_order_costs_the_tenant_no_images(
    store: DyingStore, ledger: Ledger
) -> None:
    set_grant(store, "ada", images_per_day=100)
    store.killed_before(0, lambda: place(store, ledger, "a", 60))
    ledger.client.delete(f"prodgen:turn:{stable_id('ada', 'a')}")  # ends after two minutes
    with pytest.raises(TooManyRequests, match="has ordered 60;"):
        place(store, ledger, "b", 60)
    place(store, ledger, "a", 60)
    ledger.client.hset("prodgen:admitted:ada", "dead", "1:40")  # a reservation that has expired
    place(store, ledger, "c", 40)
    with pytest.raises(TooManyRequests, match="has ordered 100;"):
        place(store, ledger, "d", 1)


def test_a_full_tenant_orders_nothing_until_it_deletes(
    store: DyingStore, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is measured in parts, by one call after another."""
    monkeypatch.setattr(quotas, "OBJECTS", 2)
    set_grant(store, "ada", store_mb=1)
    names = [f"tenants/ada/uploads/{number}" for number in range(5)]
    for name in names:
        store.put(name, bytes(300_000))

    def measured() -> int:
        for _ in range(5):
            measure_stored(store, ledger)
        return int(ledger.scripts.read("hgetall", "stored", "ada")["bytes"])

    assert measured() == 1_500_000
    with pytest.raises(Forbidden, match="may store 1 MiB and stores 1 MiB; delete orders, uploads"):
        place(store, ledger, "a", 1)
    store.delete(names[:3])
    assert measured() == 1_500_000, "not measured again yet"
    monkeypatch.setattr(quotas, "MEASURE_SECONDS", 0)
    assert measured() == 600_000
    place(store, ledger, "a", 1)


def test_a_limit_is_at_least_one(store: DyingStore) -> None:
    with pytest.raises(ProdgenError, match="images_per_day must be at least 1, not -1"):
        set_grant(store, "ada", images_per_day=-1)
