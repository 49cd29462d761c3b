"""A service is restarted when it dies, and its processes end with the stack."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from prodgen.embedded import service as module
from prodgen.embedded.service import LONGEST_PAUSE, SHORTEST_PAUSE, Service
from tests.servers.process import wait_until

Make = Callable[..., Service]


class Clock:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a service that runs a shell command."""

    def make(command: str, **options: float) -> Service:
        words = ("sh", "-c", command)
        return Service("toy", words, {"GREETING": "hello"}, tmp_path / "toy.log", lambda: True, **options)

    return make


def pause_before_restart(service: Service, clock: Clock) -> float:
    """The seconds that a service, which has died, waits before it starts again."""
    assert service.process
    service.process.wait()
    died = clock.now
    while not service.is_due():
        clock.now += 0.05
    service.start()
    return clock.now - died


def test_a_dead_service_starts_again_after_a_pause_that_doubles(make: Make, clock: Clock) -> None:
    service = make("exit 1")
    service.start()

    pauses = [pause_before_restart(service, clock) for _ in range(9)]

    expected = [min(LONGEST_PAUSE, SHORTEST_PAUSE * 2**deaths) for deaths in range(9)]
    assert pauses == pytest.approx(expected, abs=0.06)
    assert (expected[0], expected[-1]) == (0.2, 30.0)


def test_a_service_that_ran_for_long_starts_again_at_once(make: Make, clock: Clock) -> None:
    service = make("exit 1")
    service.start()
    for _ in range(5):
        pause_before_restart(service, clock)
    service.command = ("sleep", "60")
    pause_before_restart(service, clock)
    assert not service.is_due(), "it runs"
    clock.now += LONGEST_PAUSE + 1
    assert not service.is_due()

    assert service.process
    service.process.kill()

    assert pause_before_restart(service, clock) == pytest.approx(SHORTEST_PAUSE, abs=0.06)
    service.stop()


def test_a_process_that_does_not_stop_is_killed(make: Make) -> None:
    service = make("trap '' TERM; echo ready; while true; do sleep 0.05; done", stop_seconds=0.3)
    service.start()
    wait_until(lambda: service.last_log_line() == "ready", "it does not start")

    service.stop()

    assert service.pid is None
    assert service.process
    assert service.process.returncode == -9


def test_a_process_that_stops_when_asked_is_not_killed(make: Make) -> None:
    service = make("trap 'echo stopping; exit 7' TERM; echo ready; while true; do sleep 0.05; done")
    service.stop()  # not started yet
    service.start()
    wait_until(lambda: service.last_log_line() == "ready", "it does not start")

    service.stop()

    assert service.process
    assert service.process.returncode == 7
    assert service.last_log_line() == "stopping"


def test_the_log_keeps_the_last_words_of_every_start(make: Make) -> None:
    service = make("echo $GREETING; echo no memory >&2")
    assert service.last_log_line() == "it wrote nothing"
    for _ in range(2):
        service.start()
        assert service.process
        service.process.wait()
    assert service.log.read_text() == "hello\nno memory\n" * 2
    assert service.last_log_line() == "no memory"


@pytest.mark.skipif(sys.platform != "linux", reason="a child outlives its parent on other systems")
def test_a_service_does_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from prodgen.embedded.service import Service
service = Service("toy", ("sleep", "60"), {{}}, Path({str(tmp_path / "log")!r}), lambda: True)
service.start()
print(service.pid, flush=True)
import time; time.sleep(60)
"""
    supervisor = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout
    pid = int(supervisor.stdout.readline())
    supervisor.kill()
    supervisor.wait()

    def gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()

    wait_until(gone, "the service outlives its supervisor")


def test_a_log_does_not_fill_the_disk(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOG_BYTES", 100)
    service = make(f"while [ -s {tmp_path}/toy.log ]; do sleep 0.05; done; echo new")
    service.log.write_text("old\n" * 100)
    service.start()
    service.rotate_log()
    assert service.process
    service.process.wait(60)
    assert service.log.read_text() == "new\n"
    assert service.log.with_name("toy.log.1").read_text() == "old\n" * 100
    service.rotate_log()
    assert service.log.read_text() == "new\n"
