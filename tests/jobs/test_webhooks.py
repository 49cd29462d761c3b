"""A shop gets a message, which it can verify, when its order ends; no order opens a private network."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis
from standardwebhooks import WebhookVerificationError

from prodgen.errors import Conflict, ProdgenError
from prodgen.jobs import public_http
from prodgen.jobs.ending import settle_job
from prodgen.jobs.public_http import check_url, post
from prodgen.jobs.record import JobRecord
from prodgen.jobs.webhook_delivery import Outcome, Sender
from prodgen.jobs.webhook_secrets import webhook_secret
from prodgen.jobs.webhooks import announce, dead_deliveries, find_delivery, replay
from prodgen.ledger.ledger import Ledger
from prodgen.recovery import ensure
from prodgen.storage import keys
from prodgen.storage.base import Store
from tests.jobs.workshop import new_record
from tests.ledger.memory import MemoryStore
from tests.servers.receiver import Receiver


@pytest.fixture
def shop() -> Iterator[Receiver]:
    with Receiver().serving() as receiver:
        yield receiver


Order = Callable[..., JobRecord]


@pytest.fixture
def cancelled(memory: MemoryStore, ledger: Ledger, shop: Receiver) -> Order:
    """Order images with a webhook, and end the order by a cancel."""

    def place(job: str = "j", tenant: str = "ada", url: str | None = None) -> JobRecord:
        plain = new_record(job, 64, tenant)
        record = plain.model_copy(update={"spec": plain.spec.model_copy(update={"webhook": url or shop.url})})
        memory.put(keys.job(tenant, job, "job.json"), record.model_dump_json().encode())
        ledger.submit(record.entry())
        ledger.cancel(job)
        assert settle_job(memory, ledger, record)
        return record

    return place


class Maintenance:
    """Delivers webhooks at a time that the test sets."""

    def __init__(self, store: Store, ledger: Ledger, private: bool = True) -> None:
        self.store, self.ledger, self.private = store, ledger, private
        self.now = datetime.now(UTC) + timedelta(seconds=2)
        self.outcomes: list[Outcome] = []

    def wait(self, seconds: float = 0) -> int:
        """Let the time pass, then send what is due."""
        self.now += timedelta(seconds=seconds)
        return Sender(self.store, self.ledger, self.private, self.outcomes.append, self.now).send_due()


@pytest.fixture
def maintenance(memory: MemoryStore, ledger: Ledger) -> Maintenance:
    return Maintenance(memory, ledger)


def waiting(store: Store) -> list[str]:
    return [info.key for info in store.list(keys.WEBHOOKS)]


def test_a_shop_that_fails_twice_gets_the_same_message_until_it_accepts(
    memory: MemoryStore, ledger: Ledger, shop: Receiver, cancelled: Order, maintenance: Maintenance
) -> None:
    shop.statuses = [500, 503]
    record = cancelled()
    maintenance.wait()
    assert maintenance.wait(3) == 0, "it pauses"
    maintenance.wait(3)
    maintenance.wait(32)
    assert maintenance.outcomes == ["failed", "failed", "delivered"]
    secret = webhook_secret(memory, ledger, "ada")
    first, second, third = shop.verified(secret)
    assert first == second == third
    assert first["type"] == "job.cancelled"
    assert first["data"] == {
        "id": "j",
        "state": "cancelled",
        "title": None,
        "model": "bags@1",
        "total": 64,
        "done": 0,
        "error": None,
        "root": None,
    }
    assert len({headers["webhook-id"] for headers, _ in shop.requests}) == 1
    with pytest.raises(WebhookVerificationError):
        shop.verified("whsec_" + "A" * 44)
    delivery = find_delivery(memory, record)
    assert delivery
    assert (delivery.state, delivery.attempts, delivery.status) == ("delivered", 3, 204)
    assert waiting(memory) == []
    assert secret not in str({key: memory.get(key) for key in _keys(memory) if "webhook-secrets" not in key})


def test_a_host_that_cannot_be_a_name_is_a_failed_attempt(cancelled: Order, maintenance: Maintenance) -> None:
    cancelled(url="https://a..b/hook")
    maintenance.wait()
    assert maintenance.outcomes == ["failed"]


def test_a_broken_record_waits_for_a_day_and_delays_no_other(
    memory: MemoryStore, shop: Receiver, cancelled: Order, maintenance: Maintenance
) -> None:
    broken = cancelled("broken")
    cancelled("whole")
    memory.put(keys.job(broken.tenant, broken.id, "job.json"), b"{")
    maintenance.wait()
    assert (maintenance.outcomes, len(waiting(memory))) == (["delivered"], 1)
    assert maintenance.wait(3600) == 0


def _keys(store: Store) -> list[str]:
    return [info.key for info in store.list("")]


def test_a_message_survives_a_wiped_redis_and_a_death_after_it_was_sent(
    memory: MemoryStore,
    ledger: Ledger,
    client: redis.Redis,
    shop: Receiver,
    cancelled: Order,
    maintenance: Maintenance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cancelled()
    client.flushdb()
    assert ensure(memory, ledger)
    with monkeypatch.context() as patch:  # the process dies before it deletes the entry
        patch.setattr(memory, "delete", lambda _: (_ for _ in ()).throw(RuntimeError("killed")))
        maintenance.wait()
    assert len(shop.requests) == 1
    assert maintenance.wait() == 1
    assert (len(shop.requests), waiting(memory)) == (1, [])


def test_a_death_between_the_announcement_and_the_end_forgets_nothing(
    memory: MemoryStore, ledger: Ledger, shop: Receiver, maintenance: Maintenance
) -> None:
    plain = new_record("j", 64)
    record = plain.model_copy(update={"spec": plain.spec.model_copy(update={"webhook": shop.url})})
    memory.put(keys.job("ada", "j", "job.json"), record.model_dump_json().encode())
    ledger.submit(record.entry())
    ledger.cancel("j")
    announce(memory, record)
    maintenance.wait()
    assert shop.requests == []
    settle_job(memory, ledger, record)
    maintenance.wait(11)
    assert len(shop.requests) == 1


def test_a_message_that_no_one_takes_for_a_day_is_given_up_and_can_be_replayed(
    memory: MemoryStore, shop: Receiver, cancelled: Order, maintenance: Maintenance
) -> None:
    shop.statuses = [500] * 100
    record = cancelled()
    passes = 0
    while waiting(memory) and passes < 100:
        maintenance.wait(3600)
        passes += 1
    assert 10 < passes < 30
    assert maintenance.outcomes[-1] == "dead"
    [(dead, delivery)] = dead_deliveries(memory, "ada")
    assert (dead.id, delivery.state, delivery.error) == ("j", "dead", "the receiver answered 500")
    shop.statuses = []
    replay(memory, "ada", "j", maintenance.now)
    assert [*dead_deliveries(memory, "ada")] == []
    maintenance.wait(2)
    found = find_delivery(memory, record)
    assert found
    assert (found.state, found.message) == ("delivered", delivery.message)
    with pytest.raises(Conflict, match="has no webhook"):
        replay(memory, "ada", _plain(memory), maintenance.now)


def _plain(store: Store) -> str:
    store.put(keys.job("ada", "plain", "job.json"), new_record("plain", 64).model_dump_json().encode())
    return "plain"


def test_a_shop_that_is_gone_is_asked_no_more(
    memory: MemoryStore, shop: Receiver, cancelled: Order, maintenance: Maintenance
) -> None:
    shop.statuses = [410]
    cancelled()
    maintenance.wait()
    assert (maintenance.outcomes, waiting(memory)) == (["dead"], [])


def test_a_redirect_is_not_followed(shop: Receiver, cancelled: Order, maintenance: Maintenance) -> None:
    shop.statuses = [307]
    cancelled()
    maintenance.wait()
    assert (maintenance.outcomes, len(shop.requests)) == (["failed"], 1)


def test_the_former_secret_still_verifies_for_a_day(
    memory: MemoryStore, ledger: Ledger, shop: Receiver, cancelled: Order, maintenance: Maintenance
) -> None:
    former = webhook_secret(memory, ledger, "ada")
    present = webhook_secret(memory, ledger, "ada", rotate=True)
    assert former != present == webhook_secret(memory, ledger, "ada")
    cancelled()
    maintenance.wait()
    assert shop.verified(former) == shop.verified(present)


def test_a_tenant_whose_shop_is_down_delays_no_other(
    memory: MemoryStore, shop: Receiver, cancelled: Order, maintenance: Maintenance
) -> None:
    for number in range(20):
        cancelled(f"a{number}")
    cancelled("b", tenant="bob")
    assert maintenance.wait() == 8 + 1
    assert "b" in [json.loads(body)["data"]["id"] for _, body in shop.requests]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "[::1]",
        "10.1.2.3",
        "169.254.169.254",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
    ],
)
def test_private_addresses_are_refused_when_the_order_is_placed(host: str) -> None:
    with pytest.raises(ProdgenError, match="no public address"):
        check_url(f"https://{host}/hooks", private=False)
    check_url(f"http://{host}/hooks", private=True)


@pytest.mark.parametrize("url", ["http://shop.example/", "ftp://shop.example/", "https://", "https://a b/"])
def test_only_https_urls_are_webhooks(url: str) -> None:
    with pytest.raises(ProdgenError, match="https"):
        check_url(url, private=False)


def test_a_public_name_of_a_private_address_is_refused_when_the_message_is_sent(
    shop: Receiver, cancelled: Order, memory: MemoryStore, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [(2, 1, 6, "", ("127.0.0.1", shop.server_port))]
    asked: list[str] = []
    monkeypatch.setattr(
        public_http.socket, "getaddrinfo", lambda host, *_, **__: asked.append(host) or answers
    )
    record = cancelled(url=f"https://shop.example:{shop.server_port}/hooks")
    Maintenance(memory, ledger, private=False).wait()
    delivery = find_delivery(memory, record)
    assert delivery
    assert delivery.error == "the host shop.example has an address that is not public"
    assert (asked, shop.requests) == (["shop.example"], [])
    with pytest.raises(ProdgenError, match="connection"):  # the shop of this test speaks no TLS
        post(record.spec.webhook or "", {}, b"", private=True)
    assert asked[1:] == ["shop.example", "127.0.0.1"], "the name is resolved once, and the address kept"


def test_a_receiver_that_never_answers_holds_a_thread_for_seconds_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(public_http, "SECONDS", 0.3)
    # The receiver listens, and serves no one.
    with Receiver() as silent, pytest.raises(ProdgenError, match="did not answer within"):
        post(silent.url, {}, b"{}", private=True)
