"""An attempt publishes a result once, stops when its lease is lost, and outlasts services that are away."""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from prodgen.errors import Unavailable
from prodgen.registry.versions import resolve
from prodgen.runs import attempt as attempt_module
from prodgen.runs.attempt import Attempt
from prodgen.runs.files import load_end, newest_checkpoint
from prodgen.runs.processes import Processes
from prodgen.storage import keys
from tests.runs import fake_training
from tests.runs.conftest import new_run
from tests.toys import toy_folder

FOREVER = 100_000
PATIENCE = 100.0


class Node:
    """A node with fake processes, on a real roster and a store in memory."""

    def __init__(self, store, roster, folder: Path, model: Path) -> None:
        self.store, self.roster, self.folder, self.model = store, roster, folder, model
        self.record, self.leaving, self.steps, self.finishes = new_run("r1"), False, FOREVER, True
        self.name, self.started = "n1", list[Processes]()

    def queue(self, **options) -> None:
        self.record = new_run("r1", **options)
        spec = self.record.model_dump_json(by_alias=True).encode()
        self.store.put(keys.run("ada", "r1", "spec.json"), spec)
        self.roster.add(self.record.entry())

    def launch(self, assignment, record, inputs, folder, address, is_host) -> Processes:
        command = [sys.executable, fake_training.__file__, str(folder), str(self.steps)]
        processes = Processes([*command, str(self.model)] if self.finishes else command, folder, {})
        self.started.append(processes)
        return processes

    def claim(self):
        self.roster.heartbeat(self.name, "10.0.0.1", 0)
        return (self.roster.claim(self.name, 4000) or pytest.fail("nothing to claim"))[0]

    def work(self, assignment=None) -> str:
        """Make an attempt, to its end."""
        own = (self.name, "10.0.0.1", self.folder / self.name, lambda: self.leaving)
        return Attempt(self.store, self.roster, assignment or self.claim(), *own).work()

    def work_in_background(self, assignment=None) -> Callable[[], str]:
        """Begin an attempt, and return once it has published a checkpoint. The answer waits for its line."""
        said: list[str] = []
        before, assignment = self.newest(), assignment or self.claim()
        thread = threading.Thread(target=lambda: said.append(self.work(assignment)))
        thread.start()
        if self.name == assignment.host:
            wait_until(lambda: self.newest() != before)
        else:
            wait_until(lambda: self.started)

        def ended() -> str:
            thread.join(PATIENCE)
            return said[0]

        return ended

    def newest(self):
        return newest_checkpoint(self.store, "ada", "r1")

    def status(self):
        return self.roster.status("r1")

    def end(self):
        return load_end(self.store, self.record)


def wait_until(condition: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return toy_folder(tmp_path_factory.mktemp("model") / "model")


@pytest.fixture
def make_node(memory, roster, tmp_path, model, monkeypatch) -> Callable[[], Node]:
    def make() -> Node:
        node = Node(memory, roster, tmp_path, model)
        monkeypatch.setattr(attempt_module, "launch", node.launch)
        return node

    (tmp_path / "toys").mkdir()
    monkeypatch.setattr("prodgen.runs.inputs.resolve_dataset", lambda *_: None)
    monkeypatch.setattr("prodgen.runs.inputs.fetch_dataset", lambda *_: tmp_path / "toys")
    monkeypatch.setattr(attempt_module, "POLL", 0.05)
    return make


@pytest.fixture
def node(make_node) -> Node:
    node = make_node()
    node.queue()
    return node


def test_a_finished_run_is_published_once_and_settled(node):
    node.steps = 3
    said = node.work()
    version = resolve(node.store, "toy", "ada")
    assert said == f"run r1: succeeded at step 3, {version.id}, FID 12.5 by its data's judge"
    assert (node.end().state, node.end().step, node.end().model) == ("succeeded", 3, version.id)
    assert (node.status().state, node.roster.unsettled()) == ("succeeded", [])
    assert {name for key in node.store.objects if (name := key.rpartition("/")[2]) == "config.json"}
    assert sum(key.endswith("/config.json") for key in node.store.objects) == 1
    assert len(list(node.store.list(keys.run("ada", "r1", "checkpoints/")))) == 1
    assert not list((node.folder / "n1" / "runs").iterdir())


def test_a_run_that_ended_in_the_store_is_not_trained_again(node, client):
    node.steps = 3
    node.work()
    client.flushdb()  # and Redis remembers the run as queued
    client.set("prodgen:epoch", "new")
    node.roster.add(node.record.entry())
    assert node.work() == "run r1: succeeded at step 3"
    assert len(node.started) == 1
    assert (node.status().state, node.end().step) == ("succeeded", 3)


def test_an_attempt_that_loses_its_lease_kills_its_processes_and_changes_nothing(node, fall_silent):
    ended = node.work_in_background()
    fall_silent("r1", "n1")
    assert node.roster.expire() == [("r1", "queued")]
    said = ended()
    assert said == "run r1: the lease was lost, another attempt takes over"
    assert not psutil.pid_exists(node.started[0]._process.pid)
    assert (node.status().state, node.status().restarts, node.end()) == ("queued", 1, None)


def test_the_next_attempt_continues_from_the_last_checkpoint(node, fall_silent):
    ended = node.work_in_background()
    fall_silent("r1", "n1")
    node.roster.expire()
    ended()
    reached = node.newest().step
    node.steps = reached + 3
    assert node.work().startswith(f"run r1: succeeded at step {reached + 3}")
    logs = [key for key in sorted(node.store.objects) if "/logs/" in key]
    assert node.store.objects[logs[-1]].startswith(f"from step {reached}\n".encode())


def test_a_store_that_is_away_at_the_end_is_waited_for(node):
    node.steps = 3
    asked = []

    def away(method: str, key: str) -> None:
        if method == "put" and "/models/" in key:
            asked.append(key)
            if len(asked) < 4:
                raise Unavailable("the object store does not answer")

    node.store.before = away
    assert node.work().startswith("run r1: succeeded at step 3")
    assert (len(node.started), node.end().state) == (1, "succeeded")


def test_a_store_that_is_away_while_it_trains_delays_only_the_checkpoints(node):
    ended = node.work_in_background()

    def away(method: str, key: str) -> None:
        raise Unavailable("the object store does not answer")

    node.store.before = away
    time.sleep(0.5)
    assert not node.started[0].ended()
    node.store.before = lambda method, key: None
    before = node.newest().step
    wait_until(lambda: node.newest().step > before)
    node.roster.command("r1", "cancel")
    assert ended().startswith("run r1: cancelled at step")


def test_a_run_that_cannot_be_read_is_released_without_blame(node):
    def away(method: str, key: str) -> None:
        raise Unavailable("the object store does not answer")

    node.store.before = away
    assert node.work() == "run r1: released, the object store does not answer"
    assert (node.status().state, node.status().restarts) == ("queued", 0)


@pytest.mark.parametrize(("command", "state"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_run_that_is_asked_to_stop_stops_with_a_checkpoint(node, command, state):
    ended = node.work_in_background()
    node.roster.command("r1", command)
    said = ended()
    assert said == f"run r1: {state} at step {node.newest().step}"
    assert (node.end().state, node.end().step) == (state, node.newest().step)
    assert (node.status().state, node.roster.unsettled()) == (state, [])


def test_a_worker_that_must_leave_releases_its_run_with_a_checkpoint(node):
    ended = node.work_in_background()
    node.leaving = True
    assert ended() == f"run r1: released at step {node.newest().step}"
    assert (node.status().state, node.status().restarts, node.end()) == ("queued", 0, None)


def test_a_run_that_crashes_three_times_without_a_checkpoint_has_failed(node):
    node.steps, node.finishes = 0, False
    for state in ("queued", "queued", "failed"):
        assert node.work() == "run r1: crashed, RuntimeError: CUDA out of memory"
        assert node.status().state == state
    assert (node.end().state, node.end().error) == ("failed", "RuntimeError: CUDA out of memory")
    assert (node.end().restarts, len(node.started)) == (3, 3)


def test_a_member_leaves_checkpoints_and_the_end_to_its_host(make_node, roster):
    member = make_node()
    member.queue(nodes=2)
    member.name = "n2"
    roster.heartbeat("n2", "10.0.0.2", 0)
    roster.heartbeat("n1", "10.0.0.1", 0)
    host, members = roster.claim("n1", 4000)
    assert members == ["n1", "n2"]
    ended = member.work_in_background(roster.heartbeat("n2", "10.0.0.2", 0))
    roster.command("r1", "pause")
    assert ended() == "run r1: detached"
    assert (member.status().state, member.status().members, member.newest()) == ("running", ("n1",), None)
    roster.report(host, "n1", "paused", 40)
    assert member.status().state == "paused"
