"""An order enters whole, once, and means the same for ever; or it leaves no trace."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from prodgen.errors import Conflict, NotFound, ProdgenError, TooManyRequests, Unavailable
from prodgen.jobs.items import JobImages
from prodgen.jobs.record import JobRecord, find_record
from prodgen.jobs.submission import submit
from prodgen.ledger.entries import JobState
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.locks import lock
from prodgen.ledger.scripts import LedgerLost
from prodgen.registry.publish import publish
from prodgen.registry.versions import resolve
from prodgen.settings import Settings
from prodgen.spec.order import JobSpec
from prodgen.storage import keys
from prodgen.storage.local import LocalStore
from tests.sample_models import write_model

if TYPE_CHECKING:
    from tests.servers.valkey import ValkeyServer

Submit = Callable[..., tuple[JobRecord, bool]]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    store = LocalStore(tmp_path / "store", "secret", "http://gateway.test")
    publish(store, write_model(tmp_path / "shoes"), "shoes", None)
    return store


@pytest.fixture
def client(valkey_server: "ValkeyServer") -> redis.Redis:
    return valkey_server.client()


@pytest.fixture
def ledger(client: redis.Redis) -> Ledger:
    ledger = Ledger(client, prefix=f"test-{uuid.uuid4().hex}")
    ledger.open(ledger.begin_recovery() or "")
    return ledger


@pytest.fixture
def order(store: LocalStore, ledger: Ledger) -> Submit:
    settings = Settings(max_images_per_job=10_000, max_interactive_orders=2)

    def order(tenant: str = "acme", key: str = "k", **spec: object) -> tuple[JobRecord, bool]:
        return submit(
            store, ledger, settings, tenant, JobSpec.model_validate({"model": "shoes", **spec}), key
        )

    return order


def wiped(ledger: Ledger) -> None:
    """Empty the ledger, without a recovery from the store."""
    ledger.client.delete(*ledger.client.keys(f"{ledger.prefix}*"))
    ledger.open(ledger.begin_recovery() or "")


def job_files(store: LocalStore) -> list[str]:
    return [info.key for info in store.list("tenants/acme/jobs/")]


def test_an_order_is_in_the_store_and_owed(store: LocalStore, ledger: Ledger, order: Submit) -> None:
    record, created = order(count=100, attributes={"category": ["bag", "Sneaker"]})
    assert created
    assert find_record(store, "acme", record.id) == record
    assert record.model == resolve(store, "shoes", None).id
    progress = ledger.progress(record.id)
    assert progress
    assert (progress.state, progress.total, progress.tenant) == ("queued", 200, "acme")
    images = JobImages(store, record)
    assert images[199].attributes == {"category": "sneaker"}


def test_a_job_keeps_its_version_when_the_alias_moves(
    store: LocalStore, order: Submit, tmp_path: Path
) -> None:
    record, _ = order()
    publish(store, write_model(tmp_path / "new", b"new"), "shoes", None)
    again, created = order()
    assert not created
    assert again.model == record.model != order(key="another")[0].model


def test_the_same_key_gives_the_same_job(store: LocalStore, ledger: Ledger, order: Submit) -> None:
    first, _ = order(count=3, items=[{"sku": "A"}])
    files = [(i.key, i.modified) for i in store.list("tenants/acme/jobs/")]
    again, created = order(count=3, items=[{"sku": "A"}])
    assert (again, created) == (first, False)
    assert [(i.key, i.modified) for i in store.list("tenants/acme/jobs/")] == files
    assert len(ledger.jobs("acme")) == 1
    assert ledger.backlog("bulk").images == 3


def test_the_same_key_with_another_order_is_a_conflict(ledger: Ledger, order: Submit) -> None:
    order(count=3)
    with pytest.raises(Conflict, match="belongs to a different order"):
        order(count=4)
    assert ledger.backlog("bulk").images == 3


def test_tenants_keys_do_not_meet(order: Submit) -> None:
    assert order(tenant="acme", count=3)[0].id != order(tenant="globex", count=4)[0].id


def test_an_order_that_died_half_way_enters_at_the_second_try(
    store: LocalStore, ledger: Ledger, order: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> bool:
        raise Unavailable("the ledger went away")

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "submit", dies)
        with pytest.raises(Unavailable):
            order(count=5)
    assert ledger.jobs("acme") == []
    record, created = order(count=5)
    assert not created
    assert ledger.progress(record.id)


def test_a_job_that_has_ended_is_not_owed_again(store: LocalStore, ledger: Ledger, order: Submit) -> None:
    record, _ = order(count=5)
    ledger.cancel(record.id)
    state = JobState(state="cancelled", done=0, finished=datetime.now(UTC))
    store.put(keys.job("acme", record.id, "state.json"), state.model_dump_json().encode())
    wiped(ledger)
    assert order(count=5) == (record, False)
    assert ledger.progress(record.id) is None


def test_nothing_is_written_while_the_ledger_is_lost(store: LocalStore, client: redis.Redis) -> None:
    lost = Ledger(client, prefix=f"test-{uuid.uuid4().hex}")
    with pytest.raises(LedgerLost):
        submit(store, lost, Settings(), "acme", JobSpec(model="shoes"), "k")
    assert job_files(store) == []


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"model": "hats"}, "there is no model 'hats'; there are shoes"),
        (
            {"attributes": {"category": "boot"}},
            "category cannot be 'boot'; this model makes t-shirt, sneaker",
        ),
        ({"attributes": {"hue": "red"}}, "this model has no attribute 'hue'; its attributes are: category"),
        ({"count": 10**9}, "this order asks for 1,000,000,000 images; one job makes at most 10,000"),
        ({"attributes": {"category": ["bag"] * 10_001}}, "this order asks for 10,001 images"),
        ({"count": 65, "priority": "interactive"}, "an interactive one makes at most 64"),
        ({"seed_from": "sku"}, "seed_from 'sku' needs items"),
        ({"upload": "0" * 64}, f"there is no upload {'0' * 64}"),
        ({"upload": "0" * 64, "items": [{"sku": "A"}]}, "items or an upload, not both"),
        ({"items": [{"sku": "A"}, {"sku": "B", "attributes": {"category": "x"}}]}, r"item 2 \(B\): category"),
    ],
)
def test_what_cannot_be_made_leaves_no_trace(
    store: LocalStore, ledger: Ledger, order: Submit, spec: dict[str, object], message: str
) -> None:
    with pytest.raises(ProdgenError, match=message):
        order(**spec)
    assert job_files(store) == []
    assert ledger.jobs("acme") == []


def test_an_uploaded_order_is_read_at_the_door(store: LocalStore, order: Submit) -> None:
    digest = "ab" * 32
    store.put(keys.upload("acme", digest), b"sku,count,category\nA-1,2,bag\nA-2,,sneaker|bag\n")
    record, _ = order(upload=digest, count=3)
    assert record.total == 2 + 2 * 3
    assert record.items
    assert JobImages(store, record)[7].sku == "A-2"
    store.delete([keys.upload("acme", digest)])
    assert JobImages(store, record)[0].attributes == {"category": "bag"}
    with pytest.raises(NotFound, match="there is no upload"):
        order(tenant="globex", upload=digest)


def test_a_broken_upload_is_refused_by_row(store: LocalStore, order: Submit) -> None:
    digest = "cd" * 32
    store.put(keys.upload("acme", digest), b"sku,category\nA-1,bag\nA-2,boot\n")
    with pytest.raises(ProdgenError, match=r"row 3 \(A-2\): category cannot be 'boot'"):
        order(upload=digest)
    assert job_files(store) == []


@pytest.mark.parametrize(("count", "packaging"), [(512, "files"), (513, "tar")])
def test_only_large_orders_are_packed(order: Submit, count: int, packaging: str) -> None:
    assert order(count=count)[0].packaging == packaging
    assert order(key="tar", count=1, output={"packaging": "tar"})[0].packaging == "tar"


def test_the_same_order_sent_many_times_at_once_is_one_job(ledger: Ledger, order: Submit) -> None:
    def send(count: int) -> str:
        try:
            return order(count=count)[0].id
        except Conflict:
            return "conflict"

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(send, [7, 8] * 3))
    assert answers.count("conflict") == 3
    assert len(set(answers)) == 2
    assert len(ledger.jobs("acme")) == 1


def test_a_tenant_has_a_limited_number_of_interactive_orders_waiting(
    store: LocalStore, ledger: Ledger, order: Submit
) -> None:
    for key in ("one", "two"):
        order(key=key, count=64, priority="interactive")
    with pytest.raises(TooManyRequests, match=r"^2 interactive orders .* order it with priority 'bulk'"):
        order(key="three", count=1, priority="interactive")
    assert len({key.split("/")[3] for key in job_files(store)}) == 2
    assert not order(key="one", count=64, priority="interactive")[1]
    order("globex", count=1, priority="interactive")
    order(key="three", count=1)
    assert ledger.lease("interactive", "w", 64)
    order(key="four", count=1, priority="interactive")


def test_turns_fail_plainly_when_redis_is_down() -> None:
    client = redis.Redis(port=1, retry=Retry(NoBackoff(), 0))
    with pytest.raises(Unavailable, match="Redis"), lock(Ledger(client), "job"):
        pytest.fail("nobody may pass")


def test_who_waits_too_long_for_a_turn_is_told(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prodgen.ledger.locks._WAIT_SECONDS", 0.01)
    with lock(ledger, "job"), pytest.raises(Unavailable, match="is in progress"), lock(ledger, "job"):
        pytest.fail("nobody may pass")
