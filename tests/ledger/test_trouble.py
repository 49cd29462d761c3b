"""When Redis is away, its users hear one plain sentence, and no secret."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, OutOfMemoryError, ReadOnlyError, ResponseError
from redis.retry import Retry

from prodgen.errors import Unavailable
from prodgen.ledger.entries import JobEntry
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.scripts import translated
from prodgen.recovery import ensure
from tests.jobs.workshop import new_record, order, work_off
from tests.ledger.conftest import DATABASE
from tests.ledger.memory import MemoryStore

if TYPE_CHECKING:
    from tests.servers.valkey import ValkeyServer

NEVER = Retry(NoBackoff(), 0)


def uses(ledger: Ledger) -> list[Callable[[], object]]:
    return [
        lambda: ledger.submit(JobEntry("j", "ada", "bulk", 64)),
        lambda: ledger.lease("bulk", "w", 64),
        lambda: ledger.events("j", "0"),
        lambda: ledger.finishing(),
        lambda: ledger.won("j"),
        lambda: ledger.epoch(),
        lambda: ledger.begin_recovery(),
        lambda: ledger.server_restarted(),
        lambda: ledger.end_recovery("x"),
    ]


def test_a_redis_that_is_down_is_said_to_be_down(valkey_server: "ValkeyServer") -> None:
    ledger = Ledger(redis.Redis.from_url(valkey_server.url(DATABASE), retry=NEVER))
    with valkey_server.down():
        for use in uses(ledger):
            with pytest.raises(Unavailable) as caught:
                use()
            assert str(caught.value) == "the job ledger (Redis) does not answer"


def test_a_wrong_password_is_said_to_be_wrong_and_not_told(valkey_server: "ValkeyServer") -> None:
    for password in ("hunter2", None):
        port = valkey_server.port
        ledger = Ledger(redis.Redis("127.0.0.1", port, DATABASE, password=password, retry=NEVER))
        for use in uses(ledger):
            with pytest.raises(Unavailable) as caught:
                use()
            assert str(caught.value) == "the job ledger (Redis) refuses the credentials"


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (BusyLoadingError("LOADING Redis is loading"), "is still loading its data"),
        (ReadOnlyError("READONLY You can't write"), "is a read-only replica"),
        (OutOfMemoryError("OOM command not allowed"), "is full"),
        (redis.TimeoutError("Timeout reading from 10.0.0.1:6379"), "did not answer in time"),
        (ResponseError("MISCONF Errors writing to the AOF file"), "cannot write to its disk"),
        (ResponseError("BUSY Redis is busy running a script"), "is busy with a long script"),
    ],
)
def test_each_trouble_has_its_sentence(error: redis.RedisError, trouble: str) -> None:
    assert str(translated(error)) == f"the job ledger (Redis) {trouble}"


def test_a_mistake_in_a_script_is_not_taken_for_an_outage() -> None:
    error = ResponseError("ERR user_script:7: attempt to index a nil value")
    assert translated(error) is error


def test_orders_survive_a_kill_of_redis(valkey_server: "ValkeyServer", memory: MemoryStore) -> None:
    ledger = Ledger(valkey_server.client(DATABASE))
    assert ensure(memory, ledger)
    record = order(memory, ledger, new_record("j", 300))
    lease = ledger.lease("bulk", "w", 64)
    assert lease
    with valkey_server.down():
        pass
    assert ledger.renew([lease.token]) == {lease.token: "held"}
    assert ledger.server_restarted()
    ledger.complete(lease.token)
    work_off(memory, ledger, record)
    progress = ledger.progress("j")
    assert progress
    assert (progress.state, progress.done) == ("finishing", 300)


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("decode", [True, False])
def test_any_kind_of_client_will_do(
    quick_valkey: "ValkeyServer", client: redis.Redis, protocol: int, decode: bool
) -> None:
    url = quick_valkey.url(DATABASE)
    ledger = Ledger(redis.Redis.from_url(url, protocol=protocol, decode_responses=decode))
    ledger.open(ledger.begin_recovery() or "")
    ledger.submit(JobEntry("j", "ada", "bulk", 64, created=1.5))
    lease = ledger.lease("bulk", "w", 64)
    assert lease
    assert ledger.renew([lease.token]) == {lease.token: "held"}
    assert ledger.complete(lease.token)
    assert ledger.won("j") == {0: lease.token}
    assert ledger.finishing() == ["j"]
    assert [event.data["done"] for event in ledger.events("j")] == [0, 0, 64, 64]
    assert ledger.events("j", "$") == []
    progress = ledger.progress("j")
    assert progress
    assert (progress.created, progress.state) == (1.5, "finishing")
