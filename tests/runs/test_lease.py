"""A lease lasts while it is renewed. When it ends, the processes that work under it end before it."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from prodgen.errors import Unavailable
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.roster import Roster
from prodgen.runs.lease import SAFETY, RunLease
from tests.runs.conftest import new_run
from tests.servers.process import wait_until

SECONDS = 2.0
CHILD = "import sys, time, pathlib; from prodgen.child_process import exit_with_lease; "
CHILD += "exit_with_lease(pathlib.Path(sys.argv[1])); print('ready', flush=True); time.sleep(60)"


@pytest.fixture
def roster(client, ledger) -> Roster:
    """An open roster with short leases."""
    return Roster(Ledger(client, lease_seconds=SECONDS))


@pytest.fixture
def lost() -> threading.Event:
    return threading.Event()


@pytest.fixture
def hold(roster, tmp_path, lost) -> Iterator[Callable[..., RunLease]]:
    """Start a run on node n1, and hold the lease on it."""
    held = []

    def start(progress=lambda: {"step": 7}) -> RunLease:
        roster.add(new_run("r1").entry())
        roster.heartbeat("n1", "10.0.0.1", 0)
        assignment, _ = roster.claim("n1", 4000)
        held.append(RunLease(roster, assignment, "n1", tmp_path / "lease", progress, lost.set))
        return held[-1]

    yield start
    for lease in held:
        lease.stop()


def until(path) -> float:
    return float(path.read_text())


def test_a_lease_is_renewed_while_it_is_held(hold, roster, tmp_path, lost):
    lease = hold()
    first = until(tmp_path / "lease")
    wait_until(lambda: until(tmp_path / "lease") > first + SECONDS, "the lease is not renewed")
    assert (lease.state, roster.status("r1").step) == ("held", 7)
    assert until(tmp_path / "lease") <= time.monotonic() + SAFETY * SECONDS
    assert roster.expire() == []
    lease.stop()
    wait_until(lambda: roster.expire() == [("r1", "queued")], "the lease does not end")
    assert not lost.is_set()


def test_a_lease_that_another_attempt_has_taken_is_lost_at_once(hold, roster, lost, fall_silent):
    lease = hold()
    fall_silent("r1", "n1")
    roster.expire()
    assert lost.wait(60)
    assert lease.state == "lost"


def test_a_command_reaches_the_node(hold, roster, lost):
    lease = hold()
    roster.command("r1", "pause")
    wait_until(lambda: lease.state == "pause", "the command does not arrive")
    assert not lost.is_set()


def test_a_lease_that_cannot_be_renewed_ends_before_the_roster_gives_the_run_away(
    hold, roster, lost, monkeypatch
):
    lease = hold()

    def away(*_):
        raise Unavailable("the job ledger (Redis) does not answer")

    monkeypatch.setattr(roster, "renew", away)
    wait_until(lambda: roster.expire() != [], "the roster does not give the run away")
    assert lost.is_set()
    assert lease.state == "lost"


def test_an_unexpected_error_does_not_end_the_renewing(hold, roster, lost):
    errors = iter([OSError("No space left on device")])

    def progress():
        for error in errors:
            raise error
        return {"step": 8}

    lease = hold(progress)
    wait_until(lambda: roster.status("r1").step == 8, "the lease is not renewed")
    assert (lease.state, lost.is_set()) == ("held", False)


def test_the_processes_of_a_frozen_node_end_themselves(hold, tmp_path, lost):
    frozen = threading.Event()
    hold(lambda: frozen.wait(60) and {})
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path / "lease")], stdout=subprocess.PIPE)
    assert child.wait(timeout=60) == 1
    assert time.monotonic() >= until(tmp_path / "lease")
    assert not lost.is_set()
    frozen.set()
