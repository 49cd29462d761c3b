"""The roster gives a run to one attempt at a time, with all the nodes it needs, and never forgets it."""

from dataclasses import replace

import pytest

from prodgen.ledger.ledger import Ledger
from prodgen.ledger.run_entries import RunEnd
from prodgen.ledger.scripts import LedgerLost
from prodgen.recovery import ensure
from prodgen.runs.ending import restore_runs, settle_runs
from prodgen.runs.files import load_end, load_stop_request, write_end, write_stop_request
from prodgen.storage import keys
from tests.runs.conftest import MONDAY, new_run


def live(roster, *nodes, devices=0):
    for node in nodes:
        roster.heartbeat(node, f"10.0.0.{node[-1]}", devices)


def test_a_run_is_given_to_one_node_alone(roster):
    roster.add(new_run("r1").entry())
    live(roster, "n1", "n2")

    assignment, members = roster.claim("n1", 4000)

    assert (assignment.run, assignment.tenant, assignment.host, assignment.address, assignment.port) == (
        "r1",
        "ada",
        "n1",
        "10.0.0.1",
        4000,
    )
    assert members == ["n1"]
    assert roster.claim("n2", 4001) is None
    assert roster.claim("n1", 4002)[0] == assignment  # asked again: the first answer was lost
    assert (roster.status("r1").state, roster.status("r1").members) == ("running", ("n1",))


def test_a_run_is_added_once(roster):
    assert roster.add(new_run("r1").entry())
    assert not roster.add(new_run("r1").entry())
    assert [run.id for run in roster.runs("ada")] == ["r1"]


def test_all_nodes_of_a_run_are_reserved_at_once_or_none(roster):
    roster.add(new_run("two", nodes=2, age=10).entry())
    roster.add(new_run("more", nodes=2).entry())
    live(roster, "n1")
    assert roster.claim("n1", 4000) is None  # one of two nodes is not enough

    live(roster, "n1", "n2", "n3")
    assignment, members = roster.claim("n2", 4000)
    assert (assignment.run, members) == ("two", ["n2", "n3"])  # the nodes heard last come first
    assert roster.heartbeat("n3", "10.0.0.3", 0) == assignment

    assert roster.claim("n1", 4000) is None  # no deadlock: a waiting run holds no nodes
    assert roster.status("more").state == "queued"


def test_small_runs_do_not_overtake_a_large_one_for_ever(roster):
    live(roster, "n1", "n2")
    roster.add(new_run("busy", age=30).entry())
    assert roster.claim("n1", 1)
    roster.add(new_run("large", nodes=2, age=20).entry())
    roster.add(new_run("small", age=10).entry())

    assert roster.claim("n2", 1) is None  # the node is kept for the large run


def test_a_run_for_more_nodes_than_there_are_keeps_no_other_waiting(roster):
    live(roster, "n1")
    roster.add(new_run("large", nodes=5, age=20).entry())
    roster.add(new_run("small", age=10).entry())
    assert roster.claim("n1", 1)[0].run == "small"


def test_a_silent_node_loses_its_run_and_its_token_counts_no_more(roster, fall_silent):
    roster.add(new_run("r1").entry())
    live(roster, "n1", "n2")
    old, _ = roster.claim("n1", 1)
    assert roster.renew(old, "n1", 10, {"step": 10}) == "held"
    fall_silent("r1", "n1")

    assert roster.expire() == [("r1", "queued")]
    new, _ = roster.claim("n2", 1)

    assert new.token > old.token
    assert roster.renew(old, "n1") == "lost"
    assert not roster.confirm(old, 50)
    assert not roster.report(old, "n1", "succeeded", 100)
    assert roster.confirm(new, 20)
    status = roster.status("r1")
    assert (status.state, status.restarts, status.members) == ("running", 1, ("n2",))


def test_an_elastic_run_continues_with_fewer_nodes_and_regroups_when_one_is_idle(roster, fall_silent, client):
    roster.add(new_run("r1", nodes=2, least=1).entry())
    live(roster, "n1", "n2")
    assert roster.claim("n1", 1)[0].nodes == 2
    fall_silent("r1", "n2")
    client.zrem("prodgen:nodes", "n2")

    assert roster.expire() == [("r1", "queued")]
    alone, _ = roster.claim("n1", 2)
    assert (alone.nodes, roster.renew(alone, "n1"), roster.backlog()) == (1, "held", 1)
    live(roster, "n3")
    assert roster.claim("n3", 3) is None
    assert roster.renew(alone, "n1") == "regroup"
    roster.report(alone, "n1", "released", 40)

    both, members = roster.claim("n3", 4)
    assert (both.nodes, sorted(members)) == (2, ["n1", "n3"])
    assert roster.status("r1").restarts == 1


@pytest.mark.parametrize("lost", ["n1", "n2"])
def test_an_attempt_that_loses_a_member_is_over(roster, fall_silent, lost):
    """``lost`` is the host, or another member."""
    roster.add(new_run("r1", nodes=2).entry())
    live(roster, "n1", "n2")
    assignment, _ = roster.claim("n1", 1)
    fall_silent("r1", lost)

    assert roster.expire() == [("r1", "queued")]
    assert [roster.renew(assignment, node) for node in ("n1", "n2")] == ["lost", "lost"]
    assert roster.claim("n2", 2)[1] == ["n2", "n1"]


def test_a_run_fails_after_three_attempts_without_progress(roster):
    roster.add(new_run("r1").entry())
    live(roster, "n1")
    for step in (10, 20, 20, 20):
        assignment, _ = roster.claim("n1", 1)
        assert roster.confirm(assignment, step)
        assert roster.report(assignment, "n1", "crashed", message="CUDA out of memory")
        assert roster.status("r1").state == "queued"
        if step == 20 and roster.status("r1").restarts == 4:
            break
    assignment, _ = roster.claim("n1", 1)
    roster.report(assignment, "n1", "crashed", message="CUDA out of memory")
    status = roster.status("r1")
    assert (status.state, status.error, status.restarts) == ("failed", "CUDA out of memory", 5)


def test_a_released_run_counts_no_restart(roster):
    roster.add(new_run("r1").entry())
    live(roster, "n1")
    assignment, _ = roster.claim("n1", 1)
    roster.report(assignment, "n1", "released", 30)
    assert (roster.status("r1").state, roster.status("r1").restarts) == ("queued", 0)


def test_commands_are_heard_and_a_cancel_is_final(roster, memory):
    roster.add(new_run("r1").entry())
    live(roster, "n1")
    assert roster.command("r1", "pause") == "paused"
    assert roster.claim("n1", 1) is None
    assert roster.command("r1", "resume") == "queued"
    assignment, _ = roster.claim("n1", 1)
    assert roster.command("r1", "pause") == "running"
    assert roster.renew(assignment, "n1") == "pause"
    assert roster.command("r1", "resume") == "running"
    assert roster.renew(assignment, "n1") == "held"
    assert roster.command("r1", "cancel") == "running"
    assert roster.command("r1", "pause") == "running"
    assert roster.renew(assignment, "n1") == "cancel"
    roster.report(assignment, "n1", "cancelled", 40)
    assert roster.command("r1", "resume") == "cancelled"
    assert roster.command("nobody", "pause") is None


def test_a_command_is_carried_out_when_the_node_that_heard_it_is_lost(roster, fall_silent):
    roster.add(new_run("r1").entry())
    live(roster, "n1")
    roster.claim("n1", 1)
    roster.command("r1", "cancel")
    fall_silent("r1", "n1")
    assert roster.expire() == [("r1", "cancelled")]


def test_events_show_the_course_of_a_run(roster):
    roster.add(new_run("r1").entry())
    live(roster, "n1")
    assignment, _ = roster.claim("n1", 1)
    roster.renew(assignment, "n1", 10, {"step": 10, "losses": {"generator": 0.5}})
    roster.renew(
        assignment, "n1", 10, {"step": 10, "losses": {"generator": 0.5}}
    )  # no event: the progress is the same
    roster.report(assignment, "n1", "succeeded", 100)

    events = roster.events("r1")
    seen = [(event.type, event.data["state"], event.data["step"]) for event in events]
    assert seen == [
        ("state", "queued", 0),
        ("state", "running", 0),
        ("progress", "running", 10),
        ("state", "succeeded", 100),
    ]
    assert events[2].data["losses"] == {"generator": 0.5}
    assert roster.events("r1", events[2].id) == events[3:]


def test_a_wiped_redis_brings_every_run_back_from_the_store(roster, memory, client):
    records = {state: new_run(state) for state in ("waiting", "working", "held", "done")}
    for record in records.values():
        memory.put(keys.run("ada", record.id, "spec.json"), record.model_dump_json(by_alias=True).encode())
        roster.add(record.entry())
    live(roster, "n1")
    roster.command("held", "pause")
    roster.command("done", "cancel")
    assert {run.id for run in settle_runs(memory, roster)} == {"held", "done"}
    assert {run.id for run in roster.unended("ada")} == {"waiting", "working", "held"}
    pointer = b'{"token": "1", "step": 40, "files": {}}'
    memory.put(keys.run("ada", "working", "checkpoints", "1.json"), pointer)

    client.flushdb()
    with pytest.raises(LedgerLost):
        roster.command("held", "resume")
    assert ensure(memory, Ledger(client, lease_seconds=3600))
    statuses = {run.id: (run.state, run.step) for run in roster.runs("ada")}
    assert statuses == {
        "waiting": ("queued", 0),
        "working": ("queued", 40),
        "held": ("paused", 0),
        "done": ("cancelled", 0),
    }
    assert load_end(memory, records["done"]).state == "cancelled"
    assert {run.id for run in roster.unended("ada")} == {"waiting", "working", "held"}
    restore_runs(memory, roster)  # once more changes nothing
    assert roster.backlog() == 2


def test_runs_that_an_older_version_queued_are_among_the_unended(roster, client):
    """An older version kept no list of unended runs."""
    for name in ("waiting", "done"):
        roster.add(new_run(name).entry())
    roster.command("done", "cancel")
    (listed,) = client.keys("*runs:open:ada")
    client.delete(listed)

    assert [run.id for run in roster.unended("ada")] == ["waiting"]


def test_redis_keeps_the_newest_settled_runs_and_all_others(roster, memory, client):
    """Redis needs no more memory for a longer history."""
    roster.add(new_run("old", age=20_000).entry())
    pipe = client.pipeline()
    for number in range(10_050):
        pipe.hset(f"prodgen:run:{number}", mapping={"tenant": "ada", "state": "succeeded"})
        pipe.zadd("prodgen:runs:of:ada", {str(number): MONDAY.timestamp() - 15_000 + number})
    pipe.execute()
    record = new_run("new")
    memory.put(keys.run("ada", "new", "spec.json"), record.model_dump_json(by_alias=True).encode())
    roster.add(record.entry())
    roster.command("new", "cancel")
    settle_runs(memory, roster)
    kept = client.zrange("prodgen:runs:of:ada", 0, -1)
    assert (len(kept), kept[:2], kept[-1]) == (10_001, ["old", "51"], "new")
    assert roster.status("50") is None
    assert roster.status("old").state == "queued"
    roster.add(new_run("50", age=15_000).entry(), load_end(memory, record))
    assert roster.status("50") is None, "a restart of Redis restores no run that lists do not show"


def test_tenants_see_their_own_runs(roster):
    for k in range(5):
        roster.add(new_run(f"r{k}", age=-k).entry())
    roster.add(replace_tenant(new_run("other"), "bob").entry())
    assert [run.id for run in roster.runs("ada", limit=3)] == ["r4", "r3", "r2"]
    assert [run.id for run in roster.runs("ada", "r2")] == ["r1", "r0"]
    assert [run.id for run in roster.runs("bob")] == ["other"]


def replace_tenant(record, tenant):
    return record.model_copy(update={"tenant": tenant})


def test_nodes_that_are_alive_are_listed(roster, client):
    live(roster, "n1", "n2", devices=4)
    roster.add(new_run("r1").entry())
    roster.claim("n2", 1)
    client.zadd("prodgen:nodes", {"n9": 1})
    assert [(n.name, n.devices, n.run) for n in roster.nodes()] == [("n1", 4, None), ("n2", 4, "r1")]


def test_an_older_token_holds_no_lease(roster):
    roster.add(new_run("r1").entry())
    live(roster, "n1")
    assignment, _ = roster.claim("n1", 1)
    assert roster.renew(replace(assignment, token="0" * 17), "n1") == "lost"


@pytest.mark.parametrize(("command", "state"), [("cancel", "cancelled"), ("pause", "paused")])
def test_a_command_is_carried_out_when_the_run_is_released_before_it_was_heard(roster, command, state):
    roster.add(new_run("r1").entry())
    live(roster, "n1")
    assignment, _ = roster.claim("n1", 1)
    roster.renew(assignment, "n1", 30, {"step": 30})
    roster.command("r1", command)
    roster.report(assignment, "n1", "released", message="the object store does not answer")
    assert (roster.status("r1").state, roster.status("r1").step) == (state, 30)


def test_a_node_that_leaves_or_lacks_devices_is_not_reserved(roster):
    roster.add(new_run("r1", nodes=2, least=1, procs=2).entry())
    live(roster, "n1", "n2", "n3", devices=2)
    live(roster, "n4", devices=1)
    roster.leave("n2")
    assert roster.claim("n4", 1) is None
    assert roster.claim("n1", 1)[1] == ["n1", "n3"]


def test_an_end_in_the_store_is_never_changed(roster, memory):
    record = new_run("r1")
    memory.put(keys.run("ada", "r1", "spec.json"), record.model_dump_json(by_alias=True).encode())
    roster.add(record.entry())
    end = {"state": "succeeded", "step": 100, "restarts": 0, "model": "toy@1", "finished": record.created}
    write_end(memory, record, RunEnd(**end))
    roster.command("r1", "cancel")
    settle_runs(memory, roster)
    assert roster.status("r1").state == "succeeded"
    assert load_end(memory, record).model == "toy@1"
    assert roster.unsettled() == []


def test_a_run_that_an_earlier_version_added_continues(roster, client, memory):
    roster.add(new_run("r1").entry())
    client.hdel("prodgen:run:r1", "title")
    live(roster, "n1")
    assignment, _ = roster.claim("n1", 1)
    assert (assignment.title, roster.status("r1").title) == ("run r1", "run r1")
    roster.report(assignment, "n1", "cancelled")
    settle_runs(memory, roster)
    assert not roster.add(new_run("r1").entry())
    assert roster.status("r1").title == "train toy on toys@0123456789ab"


@pytest.mark.parametrize(("then", "state"), [("cancel", "cancelled"), ("resume", "queued")])
def test_a_command_during_a_pause_replaces_it(roster, then, state):
    roster.add(new_run("r1").entry())
    live(roster, "n1")
    assignment, _ = roster.claim("n1", 1)
    roster.command("r1", "pause")
    assert roster.renew(assignment, "n1") == "pause"
    roster.command("r1", then)
    roster.report(assignment, "n1", "paused", 40)
    assert (roster.status("r1").state, roster.status("r1").step) == (state, 40)


@pytest.mark.parametrize(("requested", "command"), [("paused", "pause"), ("cancelled", "cancel")])
def test_a_restart_of_redis_that_lost_a_command_ends_no_running_run(roster, memory, requested, command):
    record = new_run("r1")
    memory.put(keys.run("ada", "r1", "spec.json"), record.model_dump_json(by_alias=True).encode())
    roster.add(record.entry())
    live(roster, "n1")
    assignment, _ = roster.claim("n1", 1)
    write_stop_request(memory, record, requested)

    restore_runs(memory, roster)

    assert load_end(memory, record) is None
    assert roster.renew(assignment, "n1") == command
    roster.report(assignment, "n1", requested, 40)
    settle_runs(memory, roster)
    assert (load_end(memory, record).state, load_end(memory, record).step) == (requested, 40)
    assert load_stop_request(memory, record) is None


@pytest.mark.parametrize("host", ["n1", "n2"])
def test_the_nodes_of_a_run_are_all_of_one_kind(roster, host):
    roster.add(new_run("r1", nodes=3, least=1, procs=2).entry())
    live(roster, "n1", "n3", devices=2)
    live(roster, "n2", "n4")
    _, members = roster.claim(host, 1)
    assert sorted(members) == (["n1", "n3"] if host == "n1" else ["n2", "n4"])


def test_nodes_of_two_kinds_do_not_add_up_to_a_run_and_keep_no_other_waiting(roster):
    roster.add(new_run("two", nodes=2, age=10).entry())
    roster.add(new_run("small").entry())
    live(roster, "n1", devices=1)
    live(roster, "n2")
    reason = "waits for 2 nodes with 1 GPU each, or without GPUs; 1 is alive"
    assert roster.status("two").reason == reason
    assert roster.claim("n1", 1)[0].run == "small"
    live(roster, "n3")
    assert roster.claim("n3", 1)[1] == ["n3", "n2"]


def test_a_run_is_not_asked_to_regroup_for_a_node_of_another_kind(roster):
    roster.add(new_run("r1", nodes=2, least=1).entry())
    live(roster, "n1")
    assignment, _ = roster.claim("n1", 1)
    live(roster, "n2", devices=1)
    assert roster.claim("n2", 2) is None
    assert roster.renew(assignment, "n1") == "held"
    live(roster, "n3")
    assert roster.claim("n3", 3) is None
    assert roster.renew(assignment, "n1") == "regroup"


def test_a_queued_run_says_what_it_waits_for(roster):
    roster.add(new_run("r1", nodes=2, procs=4).entry())
    roster.add(new_run("r2").entry())
    assert roster.status("r1").reason == "waits for 2 nodes with 4 GPUs each, or without GPUs; 0 are alive"
    live(roster, "n1", "n2", devices=4)
    assert roster.status("r1").reason is None
    roster.add(new_run("busy", age=10).entry())
    assignment, _ = roster.claim("n1", 1)
    assert assignment.run == "busy"
    assert roster.status("r1").reason == "waits for 2 idle nodes; 1 is idle"
    assert [run.reason for run in roster.runs("ada")] == [None, "waits for 2 idle nodes; 1 is idle", None]
