"""What is owed is given to one worker at a time, and counted once."""

from collections.abc import Callable

import pytest
import redis

from prodgen.ledger.entries import MAX_LEASE_CELLS, UNKNOWN_RATE, Backlog, JobEntry, JobState, Rates
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.scripts import LedgerLost
from tests.jobs.workshop import MONDAY, new_record
from tests.ledger.memory import MemoryStore

RunOut = Callable[..., None]


def entry(job: str = "j", total: int = 1000, **more: object) -> JobEntry:
    return JobEntry(**{"id": job, "tenant": "ada", "queue": "bulk", "total": total, **more})  # type: ignore[arg-type]


def test_a_machine_that_is_shut_out_gets_no_lease_and_does_not_count_as_alive(ledger: Ledger) -> None:
    ledger.submit(entry(total=1000))
    one, other = ledger.lease("bulk", "gpu-1-77-a0b1c2", 64), ledger.lease("bulk", "gpu-2-77-a0b1c2", 64)
    again = ledger.lease("bulk", "gpu-1-78-ffffff", 64)
    assert one
    assert other
    assert again
    machine = one.token.rpartition("-")[2]
    assert machine == again.token.rpartition("-")[2] != other.token.rpartition("-")[2]

    ledger.shut_out([machine])
    assert ledger.lease("bulk", "gpu-1-79-000000", 64) is None
    assert not ledger.report_worker("gpu-1-79-000000", {})
    assert ledger.report_worker("gpu-2-77-a0b1c2", {})
    assert (ledger.rates().workers, ledger.count_shut_out()) == (1, 1)
    assert ledger.lease("bulk", "gpu-2-77-a0b1c2", 64)
    assert ledger.complete(one.token)
    ledger.shut_out([])
    assert ledger.lease("bulk", "gpu-1-79-000000", 64)


def test_every_image_is_given_out_once(ledger: Ledger) -> None:
    ledger.submit(entry(total=1000))
    cells: list[int] = []
    images = 0
    while lease := ledger.lease("bulk", "w", 256):
        assert lease.cells <= 4
        cells += range(lease.first, lease.first + lease.cells)
        images += 256 if lease.first < 12 else 1000 - 12 * 64
    assert cells == list(range(16))
    assert images == 1000


def test_an_order_sent_twice_is_made_once(ledger: Ledger) -> None:
    assert ledger.submit(entry(total=64))
    assert not ledger.submit(entry(total=640))
    assert ledger.backlog("bulk").images == 64


def test_an_order_sent_again_after_its_end_is_not_made_again(ledger: Ledger) -> None:
    ledger.submit(entry(total=64))
    lease = ledger.lease("bulk", "w", 64)
    assert lease
    ledger.complete(lease.token)
    ledger.close("j", JobState(state="succeeded", done=64, finished=MONDAY))
    assert not ledger.submit(entry(total=64))
    assert ledger.lease("bulk", "w", 64) is None


def test_a_lease_is_about_what_the_worker_can_make_and_at_least_a_cell(ledger: Ledger) -> None:
    ledger.submit(entry(total=10_000_000))
    sizes = [ledger.lease("bulk", f"w{n}", n) for n in (1, 64, 200, 640, 10_000_000)]
    assert [lease and lease.cells for lease in sizes] == [1, 1, 3, 10, MAX_LEASE_CELLS]


def test_the_last_cell_counts_the_images_it_has(ledger: Ledger) -> None:
    ledger.submit(entry(total=65))
    for done in (64, 65):
        lease = ledger.lease("bulk", "w", 64)
        assert lease
        assert ledger.complete(lease.token)
        progress = ledger.progress("j")
        assert progress
        assert progress.done == done


def test_a_worker_that_slept_past_its_lease_is_not_counted(ledger: Ledger, run_out: RunOut) -> None:
    ledger.submit(entry(total=64))
    zombie = ledger.lease("bulk", "sleepy", 64)
    assert zombie
    run_out()
    assert ledger.expire() == [zombie]
    assert ledger.renew([zombie.token]) == {zombie.token: "lost"}
    again = ledger.lease("bulk", "awake", 64)
    assert again
    assert again.first == zombie.first
    assert not ledger.complete(zombie.token)
    assert ledger.complete(again.token)
    assert not ledger.complete(zombie.token)


def test_a_lease_that_is_renewed_is_not_taken_away(ledger: Ledger, run_out: RunOut) -> None:
    ledger.submit(entry(total=64))
    lease = ledger.lease("bulk", "w", 64)
    assert lease
    run_out()
    assert ledger.renew([lease.token, "no-such"]) == {lease.token: "held", "no-such": "lost"}
    assert ledger.expire() == []
    assert ledger.complete(lease.token)


def test_a_winner_whose_answer_got_lost_hears_it_again(ledger: Ledger) -> None:
    ledger.submit(entry(total=128))
    lease = ledger.lease("bulk", "w", 64)
    assert lease
    assert ledger.complete(lease.token)
    assert ledger.complete(lease.token)
    progress = ledger.progress("j")
    assert progress
    assert progress.done == 64


def test_a_worker_that_shuts_down_hands_its_cells_back_at_once(ledger: Ledger) -> None:
    ledger.submit(entry(total=640))
    lease = ledger.lease("bulk", "leaving", 640)
    assert lease
    ledger.release(lease.token)
    again = ledger.lease("bulk", "staying", 640)
    assert again
    assert (again.first, again.cells, again.alone) == (0, 10, False)


def test_a_cancelled_job_stops_at_the_next_lease_and_tells_its_workers(ledger: Ledger) -> None:
    ledger.submit(entry(total=640))
    lease = ledger.lease("bulk", "w", 64)
    assert lease
    assert ledger.cancel("j") == "cancelled"
    assert ledger.cancel("j") == "cancelled"
    assert ledger.lease("bulk", "v", 64) is None
    assert ledger.renew([lease.token]) == {lease.token: "cancelled"}
    assert not ledger.complete(lease.token)
    assert ledger.backlog("bulk") == Backlog("bulk", images=0, oldest_seconds=0.0, leases=0)
    assert ledger.finishing() == ["j"]


def test_a_job_whose_images_are_all_made_cannot_be_cancelled_any_more(ledger: Ledger) -> None:
    ledger.submit(entry(total=64))
    lease = ledger.lease("bulk", "w", 64)
    assert lease
    ledger.complete(lease.token)
    assert ledger.cancel("j") == "finishing"
    assert ledger.cancel("unknown") is None


def test_what_has_ended_never_changes(ledger: Ledger) -> None:
    ledger.submit(entry(total=64))
    ledger.cancel("j")
    ledger.close("j", JobState(state="cancelled", done=0, finished=MONDAY))
    before = ledger.progress("j")
    ledger.close("j", JobState(state="succeeded", done=64, finished=MONDAY))
    assert ledger.cancel("j") == "cancelled"
    assert not ledger.give_back("j", [0])
    assert ledger.progress("j") == before
    assert ledger.finishing() == []


def test_an_ended_job_leaves_only_a_line_of_listing(ledger: Ledger, client: redis.Redis) -> None:
    ledger.submit(entry(total=640))
    lease = ledger.lease("bulk", "w", 128)
    assert lease
    ledger.complete(lease.token)
    ledger.cancel("j")
    ledger.close("j", JobState(state="cancelled", done=128, finished=MONDAY))
    left = set(client.scan_iter("prodgen:job:j*"))
    assert left == {"prodgen:job:j", "prodgen:job:j:events"}
    assert 0 < client.ttl("prodgen:job:j:events") <= 600


def test_the_work_of_a_model_is_known_in_seconds_even_without_workers(
    ledger: Ledger, client: redis.Redis
) -> None:
    ledger.submit(entry("a", total=640, model="shoes@1"))
    ledger.submit(entry("b", total=64, model="bags@1"))
    ledger.submit(entry("c", total=64))
    lease = ledger.lease("bulk", "w", 64)
    assert lease
    assert ledger.backlog("bulk").models == {"shoes@1": 640 - 64, "bags@1": 64, "": 64}
    assert ledger.rates().seconds("shoes@1", 576) == 576 / UNKNOWN_RATE

    ledger.report_worker("cpu", {"shoes@1": 10.0})
    ledger.report_worker("gpu", {"shoes@1": 1000.0})
    for _ in range(40):  # the mean of both workers, independent of which reports first
        ledger.report_worker("cpu", {"shoes@1": 10.0})
        ledger.report_worker("gpu", {"shoes@1": 1000.0})
    rates = ledger.rates()
    assert rates.workers == 2
    assert 300 < rates.by_model["shoes@1"] < 700
    client.zadd("prodgen:workers", {"cpu": 0, "gpu": 0})
    assert ledger.rates() == Rates(0, rates.by_model)

    assert ledger.complete(lease.token)
    for job in "abc":
        ledger.cancel(job)
    assert ledger.backlog("bulk").models == {}


def test_the_ledger_keeps_the_rates_of_a_few_hundred_models(ledger: Ledger) -> None:
    ledger.report_worker("w", {f"m@{number}": 1.0 for number in range(200)})
    ledger.report_worker("w", {f"m@{number}": 1.0 for number in range(100, 400)})
    assert len(ledger.rates().by_model) == 256


def test_lost_leases_are_counted(ledger: Ledger, run_out: RunOut) -> None:
    ledger.submit(entry(total=640))
    assert ledger.lease("bulk", "w", 64)
    run_out()
    ledger.expire()
    assert ledger.backlog("bulk").lost == 1


def test_the_backlog_says_how_much_waits_and_for_how_long(ledger: Ledger, client: redis.Redis) -> None:
    seconds, _ = client.time()
    ledger.submit(entry("old", total=640, created=seconds - 100))
    ledger.submit(entry("new", total=64, created=seconds - 10, queue="interactive"))
    ledger.lease("bulk", "w", 128)
    backlog = ledger.backlog("bulk")
    assert (backlog.images, backlog.leases) == (512, 1)
    assert 100 <= backlog.oldest_seconds < 110
    ledger.lease("interactive", "w", 64)
    assert ledger.backlog("interactive") == Backlog("interactive", images=0, oldest_seconds=0.0, leases=1)


def test_a_tenant_sees_its_own_jobs_newest_first(ledger: Ledger) -> None:
    for number in range(5):
        ledger.submit(entry(f"j{number}", created=float(number)))
    ledger.submit(entry("theirs", tenant="bob", created=9.0))
    first = ledger.jobs("ada", limit=2)
    second = ledger.jobs("ada", before=first[-1].id, limit=2)
    third = ledger.jobs("ada", before=second[-1].id, limit=2)
    assert [[job.id for job in page] for page in (first, second, third)] == [
        ["j4", "j3"],
        ["j2", "j1"],
        ["j0"],
    ]
    assert ledger.jobs("nobody") == []


def test_names_that_look_like_numbers_stay_names(ledger: Ledger) -> None:
    ledger.submit(entry("000000000000000000001e05", tenant="007", total=64))
    lease = ledger.lease("bulk", "0123", 64)
    assert lease
    assert (lease.job, lease.tenant) == ("000000000000000000001e05", "007")
    assert ledger.complete(lease.token)
    assert [job.id for job in ledger.jobs("007")] == ["000000000000000000001e05"]
    assert ledger.finishing() == ["000000000000000000001e05"]


def test_a_watcher_misses_no_event_and_can_resume(ledger: Ledger) -> None:
    ledger.submit(entry(total=128))
    for _ in range(2):
        lease = ledger.lease("bulk", "w", 64)
        assert lease
        ledger.complete(lease.token)
    ledger.close("j", JobState(state="succeeded", done=128, finished=MONDAY))
    events = ledger.events("j", "0")
    sent = [(event.type, event.data["state"], event.data["done"]) for event in events]
    assert sent == [
        ("state", "queued", 0),
        ("state", "running", 0),
        ("progress", "running", 64),
        ("progress", "running", 128),
        ("state", "finishing", 128),
        ("state", "succeeded", 128),
    ]
    assert ledger.events("j", events[2].id) == events[3:]
    assert ledger.events("j", events[-1].id) == []


def test_a_watcher_of_a_million_images_costs_a_bounded_stream(ledger: Ledger, client: redis.Redis) -> None:
    ledger.submit(entry(total=64 * 1200))
    while lease := ledger.lease("bulk", "w", 64):
        ledger.complete(lease.token)
    assert client.xlen("prodgen:job:j:events") < 1150


def test_nothing_is_promised_while_the_ledger_is_lost(ledger: Ledger, client: redis.Redis) -> None:
    ledger.submit(entry())
    lease = ledger.lease("bulk", "w", 64)
    assert lease
    client.flushdb()
    asks: list[Callable[[], object]] = [
        lambda: ledger.submit(entry()),
        lambda: ledger.lease("bulk", "w", 64),
        lambda: ledger.renew([lease.token]),
        lambda: ledger.complete(lease.token),
        lambda: ledger.fail(lease.token, "no"),
        lambda: ledger.release(lease.token),
        lambda: ledger.cancel("j"),
        lambda: ledger.progress("j"),
        lambda: ledger.jobs("ada"),
        lambda: ledger.backlog("bulk"),
        lambda: ledger.expire(),
        lambda: ledger.close("j", JobState(state="succeeded", done=1, finished=MONDAY)),
        lambda: ledger.restore(entry(), (), (), None),
    ]
    for ask in asks:
        with pytest.raises(LedgerLost):
            ask()
    assert ledger.epoch() is None
    assert list(client.scan_iter("*")) == []


def test_a_token_from_before_a_wipe_is_never_worth_anything(
    ledger: Ledger, client: redis.Redis, memory: MemoryStore
) -> None:
    ledger.submit(entry(total=64))
    old = ledger.lease("bulk", "w", 64)
    client.flushdb()
    ledger.open(ledger.begin_recovery() or "")
    ledger.submit(entry(total=64))
    new = ledger.lease("bulk", "w", 64)
    assert old
    assert new
    assert old.token != new.token
    assert not ledger.complete(old.token)
    assert ledger.complete(new.token)


def test_a_server_that_forgot_its_last_second_gives_no_token_twice(
    ledger: Ledger, client: redis.Redis
) -> None:
    ledger.submit(entry(total=6400))
    forgotten = {ledger.lease("bulk", "w", 64) for _ in range(5)}
    client.delete("prodgen:token")
    later = {ledger.lease("bulk", "w", 64) for _ in range(5)}
    assert len({lease.token for lease in forgotten | later if lease}) == 10


def test_large_images_make_short_leases(ledger: Ledger) -> None:
    """A crash is to lose about a second's work, and a cancel to be heard as soon."""
    for side, cells in ((None, 156), (256, 4), (1024, 1), (2048, 1)):
        record = new_record(f"j-{side}", 10_000)
        finish = record.spec.finish.model_copy(update={"size": side})
        record = record.model_copy(update={"spec": record.spec.model_copy(update={"finish": finish})})
        assert ledger.submit(record.entry())
        lease = ledger.lease("bulk", f"w-{side}", 10_000)
        assert lease
        assert (lease.job, lease.cells) == (record.id, cells)
        ledger.cancel(record.id)


def test_the_ledger_keeps_the_newest_settled_jobs_and_all_others(client: redis.Redis, ledger: Ledger) -> None:
    """Redis needs no more memory for a longer history."""
    assert ledger.submit(JobEntry("old", "ada", "bulk", 64, created=1.0))
    pipe = client.pipeline()
    for number in range(10_050):
        pipe.hset(f"prodgen:job:{number}", mapping={"tenant": "ada", "state": "succeeded"})
        pipe.zadd("prodgen:jobs:ada", {str(number): 2.0 + number})
    pipe.execute()
    assert ledger.submit(JobEntry("new", "ada", "bulk", 64, created=1e6))
    ledger.cancel("new")
    ledger.close("new", JobState(state="cancelled", done=0, finished=MONDAY))
    kept = client.zrange("prodgen:jobs:ada", 0, -1)
    assert (len(kept), kept[0], kept[-1]) == (10_001, "old", "new")
    assert kept[1] == "51"
    assert ledger.progress("50") is None
    assert len(client.keys("prodgen:job:[0-9]*")) == len(kept) - 2
