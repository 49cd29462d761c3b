"""Nobody waits behind somebody else's million images."""

from collections import Counter

from prodgen.ledger.entries import JobEntry
from prodgen.ledger.ledger import Ledger

MILLION = 1_000_000


def served(ledger: Ledger, images: int, leases: int) -> Counter[str]:
    """Images given to each job, by so many leases."""
    given: Counter[str] = Counter()
    for number in range(leases):
        lease = ledger.lease("bulk", f"w{number}", images)
        if lease:
            given[lease.job] += lease.cells * 64
    return given


def test_a_small_order_does_not_wait_behind_a_million_images(ledger: Ledger) -> None:
    ledger.submit(JobEntry("huge", "big", "bulk", MILLION))
    served(ledger, 1024, 50)
    ledger.submit(JobEntry("small", "little", "bulk", 256))
    assert served(ledger, 256, 3)["small"] >= 256


def test_a_newcomer_does_not_make_up_for_time_it_was_not_there(ledger: Ledger) -> None:
    ledger.submit(JobEntry("old", "big", "bulk", MILLION))
    served(ledger, 1024, 100)
    ledger.submit(JobEntry("new", "other", "bulk", MILLION))
    given = served(ledger, 1024, 100)
    assert abs(given["old"] - given["new"]) <= 2048


def test_one_who_was_alone_is_not_punished_for_it(ledger: Ledger) -> None:
    ledger.submit(JobEntry("first", "big", "bulk", 64_000))
    served(ledger, 1024, 100)
    ledger.submit(JobEntry("other", "little", "bulk", MILLION))
    ledger.submit(JobEntry("second", "big", "bulk", MILLION))
    given = served(ledger, 1024, 100)
    assert abs(given["other"] - given["second"]) <= 2048


def test_many_orders_win_a_tenant_nothing(ledger: Ledger) -> None:
    for number in range(9):
        ledger.submit(JobEntry(f"greedy{number}", "greedy", "bulk", 64_000))
    ledger.submit(JobEntry("modest", "modest", "bulk", 64_000))
    given = served(ledger, 640, 60)
    assert abs(given["modest"] - sum(given.values()) / 2) <= 1280


def test_a_tenants_own_orders_share_its_part(ledger: Ledger) -> None:
    ledger.submit(JobEntry("one", "ada", "bulk", MILLION))
    served(ledger, 640, 20)
    ledger.submit(JobEntry("two", "ada", "bulk", MILLION))
    given = served(ledger, 640, 40)
    assert abs(given["one"] - given["two"]) <= 1280


def test_no_order_waits_for_ever_while_smaller_ones_of_its_tenant_come(ledger: Ledger) -> None:
    ledger.submit(JobEntry("large", "ada", "bulk", MILLION))
    served(ledger, 1024, 1)
    ledger.submit(JobEntry("z", "ada", "bulk", 8))
    given: Counter[str] = Counter()
    for number in range(64):
        ledger.submit(JobEntry(f"a{number:02d}", "ada", "bulk", 64))
        ledger.submit(JobEntry(f"b{number:02d}", "ada", "bulk", 64))
        given += served(ledger, 1024, 1)
    assert given["z"] > 0
    assert given["large"] > 0


def test_a_tenant_of_weight_three_receives_three_times_as_much(ledger: Ledger) -> None:
    ledger.submit(JobEntry("heavy", "heavy", "bulk", MILLION, weight=3.0))
    ledger.submit(JobEntry("light", "light", "bulk", MILLION, weight=1.0))
    given = served(ledger, 640, 80)
    assert 2.5 < given["heavy"] / given["light"] < 3.5


def test_a_large_lease_is_paid_for(ledger: Ledger) -> None:
    ledger.submit(JobEntry("a", "ada", "bulk", MILLION))
    ledger.submit(JobEntry("b", "bob", "bulk", MILLION))
    large = ledger.lease("bulk", "h200", 6400)
    assert large
    smaller = [ledger.lease("bulk", f"laptop{n}", 640) for n in range(10)]
    assert {lease and lease.job for lease in smaller} == {"a", "b"} - {large.job}


def test_a_person_who_waits_is_not_queued_with_bulk_orders(ledger: Ledger) -> None:
    ledger.submit(JobEntry("overnight", "ada", "bulk", MILLION))
    ledger.submit(JobEntry("preview", "ada", "interactive", 64))
    bulk = ledger.lease("bulk", "w", 64)
    interactive = ledger.lease("interactive", "w", 64)
    assert bulk
    assert interactive
    assert (bulk.job, interactive.job) == ("overnight", "preview")
    assert ledger.lease("interactive", "w", 64) is None


def test_a_tenant_may_have_any_name(ledger: Ledger) -> None:
    for tenant in ("spent", "bulk", "events", "leases"):
        ledger.submit(JobEntry(tenant, tenant, "bulk", 64))
    assert set(served(ledger, 64, 4)) == {"spent", "bulk", "events", "leases"}


def test_a_resumed_order_does_not_catch_up_and_a_paused_one_delays_no_other(ledger: Ledger) -> None:
    for tenant in ("ada", "bob"):
        ledger.submit(JobEntry(tenant, tenant, "bulk", MILLION))
    before = served(ledger, 640, 2)
    assert ledger.control("ada", "bulk", paused=True) == "paused"
    assert ledger.control("ada", "bulk", paused=True) == "paused"
    assert ledger.backlog("bulk").images == MILLION - before["bob"]
    assert served(ledger, 640, 50)["ada"] == 0
    assert ledger.control("ada", "bulk", paused=False) == "running"
    given = served(ledger, 640, 50)
    assert abs(given["ada"] - given["bob"]) <= 1280


def test_a_pause_lets_leases_in_flight_finish_and_gives_no_suspect_away(ledger: Ledger) -> None:
    ledger.submit(JobEntry("j", "ada", "bulk", 256))
    held = ledger.lease("bulk", "busy", 64)
    failed = ledger.lease("bulk", "w", 192)
    assert held
    assert failed
    ledger.fail(failed.token, "it raised")
    assert ledger.lease("bulk", "busy", 64) is None, "the suspects are reserved for this worker"
    ledger.control("j", "bulk", paused=True)
    assert ledger.renew([held.token]) == {held.token: "held"}
    assert ledger.complete(held.token)
    assert ledger.lease("bulk", "busy", 64) is None
    assert [event.data["state"] for event in ledger.events("j")] == ["queued", "running", "paused", "paused"]
    assert ledger.cancel("j") == "cancelled"


def test_an_order_that_changes_its_queue_waits_in_the_other_one(ledger: Ledger) -> None:
    ledger.submit(JobEntry("j", "ada", "bulk", 128))
    assert ledger.lease("bulk", "w", 64)
    assert ledger.control("j", "interactive", paused=False) == "running"
    assert ledger.lease("bulk", "v", 64) is None
    assert (ledger.backlog("bulk").images, ledger.backlog("bulk").leases) == (0, 1)
    assert ledger.backlog("interactive").images == 64
    lease = ledger.lease("interactive", "v", 64)
    assert lease
    assert lease.queue == "interactive"
