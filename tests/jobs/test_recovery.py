"""A wiped Redis costs no order, no image and no end."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from prodgen.jobs.ending import settle_job, settle_jobs
from prodgen.jobs.manifests import Manifest, choose
from prodgen.ledger import ledger as ledger_module
from prodgen.ledger.entries import JobEntry
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.scripts import LedgerLost
from prodgen.recovery import ensure, recover
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.storage.local import LocalStore
from prodgen.tenants import set_grant
from tests.jobs.test_ending import Killed, delivered
from tests.jobs.workshop import ended, new_record, order, paint, work, work_off, write_order
from tests.ledger.memory import MemoryStore


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, memory: MemoryStore, tmp_path: Path) -> Store:
    return memory if request.param == "memory" else LocalStore(tmp_path, "a-secret", "http://store.test")


def test_every_order_comes_back_where_it_stood(store: Store, ledger: Ledger, client: redis.Redis) -> None:
    fresh = order(store, ledger, new_record("fresh", 100, tenant="bob", queue="interactive"))
    over = order(store, ledger, new_record("over", 64, age=3))
    work_off(store, ledger, over, fresh)
    settle_jobs(store, ledger)
    cancelled = order(store, ledger, new_record("stopped", 640, age=2))
    stopped_at = ledger.lease("bulk", "w", 128)
    assert stopped_at
    work(store, ledger, cancelled, stopped_at)
    ledger.cancel("stopped")
    settle_job(store, ledger, cancelled)
    running = order(store, ledger, new_record("running", 300, age=1))
    half_way = ledger.lease("bulk", "w", 128)
    assert half_way
    work(store, ledger, running, half_way)
    waiting = order(store, ledger, new_record("waiting", 300, tenant="bob"))

    names = ["fresh", "over", "stopped", "running", "waiting"]
    before = [ledger.progress(name) for name in names]
    listed = [job.id for job in ledger.jobs("ada")]
    backlog = ledger.backlog("bulk").images
    client.flushdb()
    assert ensure(store, ledger)
    after = [ledger.progress(name) for name in names]

    def updated(standing: list[ledger_module.Progress | None], *jobs: str) -> list[float]:
        return [progress.updated for progress in standing if progress and progress.id in jobs]

    def told(progress: ledger_module.Progress | None) -> tuple[object, ...]:
        assert progress
        return progress.id, progress.tenant, progress.queue, progress.state, progress.done, progress.created

    assert list(map(told, after)) == list(map(told, before))
    assert updated(after, "over", "stopped") == updated(before, "over", "stopped")
    assert updated(after, "waiting") == [waiting.created.timestamp()]
    assert [job.id for job in ledger.jobs("ada")] == listed
    assert ledger.backlog("bulk").images == backlog
    work_off(store, ledger, running, waiting)
    settle_jobs(store, ledger)
    assert ended(store, running).done == ended(store, waiting).done == 300
    assert ended(store, cancelled).state == "cancelled"


def test_a_lease_that_was_whole_but_not_counted_is_not_made_again(
    store: Store, ledger: Ledger, client: redis.Redis
) -> None:
    record = order(store, ledger, new_record("j", 300))
    lease = ledger.lease("bulk", "w", 128)
    assert lease
    manifest = paint(store, record, lease)
    store.put(keys.cell_folder("ada", "j", lease.first, lease.token) + ".jsonl", manifest)
    client.flushdb()
    recover(store, ledger)
    progress = ledger.progress("j")
    assert progress
    assert progress.done == 128
    assert not ledger.complete(lease.token)
    work_off(store, ledger, record)
    settle_jobs(store, ledger)
    assert ended(store, record).done == 300


def test_a_worker_whose_lease_was_adopted_takes_nothing_away_after_the_end(
    ledger: Ledger, memory: MemoryStore, client: redis.Redis
) -> None:
    record = order(memory, ledger, new_record("j", 128, packaging="files"))
    lease = ledger.lease("bulk", "w", 128)
    assert lease
    memory.put(
        keys.cell_folder("ada", "j", lease.first, lease.token) + ".jsonl", paint(memory, record, lease)
    )
    client.flushdb()
    recover(memory, ledger)
    settle_jobs(memory, ledger)
    assert not work(memory, ledger, record, lease)
    assert delivered(memory, record) == list(range(128))
    assert not [key for key in memory.objects if "/cells/" in key and key.endswith(".jsonl")]


def test_a_lease_that_was_half_made_is_made_again(
    ledger: Ledger, memory: MemoryStore, client: redis.Redis
) -> None:
    record = order(memory, ledger, new_record("j", 128, packaging="files"))
    lease = ledger.lease("bulk", "w", 128)
    assert lease
    paint(memory, record, lease, part=True)
    client.flushdb()
    recover(memory, ledger)
    assert ledger.backlog("bulk").images == 128
    work_off(memory, ledger, record)
    settle_jobs(memory, ledger)
    assert delivered(memory, record) == list(range(128))


def test_two_leases_of_the_same_cells_deliver_them_once(
    ledger: Ledger, memory: MemoryStore, client: redis.Redis, run_out: Callable[..., None]
) -> None:
    record = order(memory, ledger, new_record("j", 256))
    sleepy = ledger.lease("bulk", "sleepy", 128)
    assert sleepy
    run_out()
    ledger.expire()
    for _ in range(2):
        awake = ledger.lease("bulk", "awake", 256)
        assert awake
        work(memory, ledger, record, awake)
    assert not work(memory, ledger, record, sleepy)
    client.flushdb()
    recover(memory, ledger)
    work_off(memory, ledger, record)
    settle_jobs(memory, ledger)
    assert delivered(memory, record) == list(range(256))
    assert ended(memory, record).done == 256


def test_a_worker_that_slept_through_the_wipe_overwrites_nothing(
    ledger: Ledger, memory: MemoryStore, client: redis.Redis, run_out: Callable[..., None]
) -> None:
    """Its lease was counted, but a recovery chose another's manifest of the same cells."""
    record = order(memory, ledger, new_record("j", 256))
    longer = ledger.lease("bulk", "longer", 256)
    assert longer
    folder = keys.cell_folder("ada", "j", longer.first, longer.token)
    memory.put(f"{folder}.jsonl", paint(memory, record, longer))
    run_out()
    ledger.expire()
    shorter = ledger.lease("bulk", "winner", 64)
    assert shorter

    class Sleepy(Ledger):
        def complete(self, token: str) -> bool:
            won = super().complete(token)
            client.flushdb()
            assert recover(memory, ledger)
            return won

    assert work(memory, Sleepy(client), record, shorter)
    settle_jobs(memory, ledger)
    assert ended(memory, record).done == 256
    assert delivered(memory, record) == list(range(256))


def test_a_recovery_killed_at_any_point_is_started_over(
    ledger: Ledger, memory: MemoryStore, client: redis.Redis
) -> None:
    records = [order(memory, ledger, new_record(f"j{n}", 200)) for n in range(3)]
    lease = ledger.lease("bulk", "w", 128)
    assert lease
    work(memory, ledger, next(r for r in records if r.id == lease.job), lease)
    for point in itertools.count():
        client.flushdb()
        calls = 0

        def die(method: str, key: str, point: int = point) -> None:
            nonlocal calls
            calls += 1
            if calls > point:
                raise Killed

        memory.before = die
        try:
            recover(memory, ledger)
            break
        except Killed:
            pass
        memory.before = lambda method, key: None
        assert ledger.epoch() is None
        with pytest.raises(LedgerLost):
            ledger.lease("bulk", "w", 64)
        assert not recover(memory, ledger), "the dead one's right has not run out yet"
        client.delete("prodgen:recovering")
        assert recover(memory, ledger)
        assert ledger.backlog("bulk").images == 600 - 128
    assert point > 5


def test_a_slow_recovery_that_was_taken_over_changes_nothing_any_more(
    ledger: Ledger, memory: MemoryStore, client: redis.Redis
) -> None:
    order(memory, ledger, new_record("j", 200))
    client.flushdb()
    epochs: list[str | None] = []

    def overtake(method: str, key: str) -> None:
        memory.before = lambda method, key: None
        client.delete("prodgen:recovering")
        assert recover(memory, ledger)
        epochs.append(ledger.epoch())
        assert ledger.lease("bulk", "w", 64)

    memory.before = overtake
    with pytest.raises(LedgerLost):
        recover(memory, ledger)
    assert ledger.epoch() == epochs[0]
    assert ledger.backlog("bulk").images == 200 - 64


def test_a_redis_wiped_during_its_recovery_is_recovered_again(
    ledger: Ledger, memory: MemoryStore, client: redis.Redis
) -> None:
    for n in range(3):
        order(memory, ledger, new_record(f"j{n}", 200))
    client.flushdb()

    def wipe(method: str, key: str) -> None:
        if key.endswith("job.json"):
            memory.before = lambda method, key: None
            client.flushdb()

    memory.before = wipe
    with pytest.raises(LedgerLost):
        recover(memory, ledger)
    assert ensure(memory, ledger)
    assert ledger.backlog("bulk").images == 600


def test_what_a_partial_wipe_left_does_not_haunt_the_new_ledger(
    ledger: Ledger, memory: MemoryStore, client: redis.Redis
) -> None:
    record = order(memory, ledger, new_record("j", 200))
    ledger.submit(JobEntry("ghost", "ada", "bulk", 999))
    assert ledger.lease("bulk", "w", 64)
    client.set("somebody-else's", "key")
    client.delete("prodgen:epoch")
    assert ensure(memory, ledger)
    assert [job.id for job in ledger.jobs("ada")] == ["j"]
    assert ledger.backlog("bulk").images == 200
    assert ledger.backlog("bulk").leases == 0
    assert client.get("somebody-else's") == "key"
    work_off(memory, ledger, record)
    settle_jobs(memory, ledger)
    assert delivered(memory, record) == list(range(200))


def test_one_broken_file_does_not_keep_all_other_jobs_away(
    ledger: Ledger, memory: MemoryStore, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b", "c"):
        order(memory, ledger, new_record(name, 64))
    memory.put(keys.job("ada", "b", "job.json"), b"{")
    memory.put(keys.job("ada", "unacknowledged", "items.jsonl"), b"{}")
    client.flushdb()
    assert recover(memory, ledger)
    assert sorted(job.id for job in ledger.jobs("ada")) == ["a", "c"]
    assert "job b of ada is broken" in caplog.text


def test_a_recovery_sweeps_what_a_process_left_that_died_before_it_swept(
    ledger: Ledger, memory: MemoryStore, client: redis.Redis
) -> None:
    record = order(memory, ledger, new_record("j", 256))
    loser = ledger.lease("bulk", "loser", 128)
    assert loser
    paint(memory, record, loser, part=True)
    memory.put(keys.cell_folder("ada", "j", loser.first, loser.token) + ".tar", b"images")
    ledger.release(loser.token)
    work_off(memory, ledger, record)

    def die(method: str, key: str) -> None:
        if method == "delete":
            raise Killed

    memory.before = die
    with pytest.raises(Killed):
        settle_job(memory, ledger, record)
    memory.before = lambda method, key: None
    assert ended(memory, record).done == 256
    client.flushdb()
    assert recover(memory, ledger)
    left = {key for key in memory.objects if "/cells/" in key}
    assert left == {line["object"] for line in published_lines(memory)}


def published_lines(memory: MemoryStore) -> list[dict[str, str]]:
    found = [data for key, data in memory.objects.items() if "/manifest/" in key]
    return [json.loads(line) for data in found for line in data.splitlines()]


def test_one_process_at_a_time_restores_what_a_restart_lost(
    ledger: Ledger, memory: MemoryStore, client: redis.Redis
) -> None:
    order(memory, ledger, new_record("j", 64))
    client.set("prodgen:server", "another process")
    calls: list[str] = []

    def meanwhile(method: str, key: str) -> None:
        memory.before = lambda method, key: calls.append(key)
        assert not ensure(memory, ledger)
        assert not calls, "a second process read the store"
        assert ledger.submit(JobEntry("new", "ada", "bulk", 64)), "orders are accepted meanwhile"

    memory.before = meanwhile
    assert not ensure(memory, ledger)
    assert calls
    assert not ledger.server_restarted()


def test_tenants_keep_their_weight(ledger: Ledger, memory: MemoryStore, client: redis.Redis) -> None:
    for tenant in ("heavy", "light"):
        order(memory, ledger, new_record(f"of-{tenant}", 640_000, tenant=tenant))
    client.flushdb()
    set_grant(memory, "heavy", weight=3.0)
    recover(memory, ledger)
    given = [lease.job for n in range(80) if (lease := ledger.lease("bulk", f"w{n}", 640))]
    assert 55 <= given.count("of-heavy") <= 65


def test_an_order_that_a_restarted_redis_forgot_is_found_again(
    ledger: Ledger, memory: MemoryStore, client: redis.Redis
) -> None:
    record = order(memory, ledger, new_record("kept", 64))
    write_order(memory, new_record("forgotten", 200))
    assert not ensure(memory, ledger)
    assert ledger.progress("forgotten") is None, "without a restart nobody looks"
    client.set("prodgen:server", "another process")
    epoch = ledger.epoch()
    assert not ensure(memory, ledger)
    assert ledger.epoch() == epoch
    progress = ledger.progress("forgotten")
    assert progress
    assert progress.state == "queued"
    assert not ledger.server_restarted()
    work_off(memory, ledger, record, new_record("forgotten", 200))
    assert len(settle_jobs(memory, ledger)) == 2


def test_an_end_that_a_restarted_redis_forgot_stands(
    ledger: Ledger, memory: MemoryStore, client: redis.Redis
) -> None:
    record = order(memory, ledger, new_record("j", 200))
    ledger.cancel("j")
    settle_job(memory, ledger, record)
    end = memory.objects[keys.job("ada", "j", "state.json")]
    for key in client.scan_iter("prodgen:*job*"):
        client.delete(key)
    ledger.submit(record.entry())
    client.set("prodgen:server", "another process")
    ensure(memory, ledger)
    progress = ledger.progress("j")
    assert progress
    assert progress.state == "cancelled"
    assert ledger.lease("bulk", "w", 64) is None
    assert memory.objects[keys.job("ada", "j", "state.json")] == end


def test_what_is_adopted_never_holds_less_than_was_counted() -> None:
    def run(first: int, end: int) -> Manifest:
        return Manifest(first, end, (end - first) * 64, f"{first}-{end}", "")

    zombie, winners = run(0, 2), [run(0, 4), run(4, 5)]
    assert choose([zombie, *winners]) == winners
    assert choose([run(2, 6), *winners]) == winners
    assert choose([run(4, 9), *winners], given=[run(8, 9)]) == winners
    assert choose([]) == []
