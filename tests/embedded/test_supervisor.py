"""The stack says why it does not start, restarts what dies, and leaves no process behind."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prodgen.embedded.data_folder import DataFolder
from prodgen.embedded.service import Service
from prodgen.embedded.supervisor import Supervisor
from prodgen.errors import Unavailable
from tests.servers.process import wait_until

LONG = "trap 'exit 0' TERM; echo ready; while true; do sleep 0.05; done"


class Toy:
    """A supervisor of shell commands instead of a stack; ``messages`` is what its user reads."""

    def __init__(self, root: Path, **commands: str) -> None:
        self.folder, self.messages = DataFolder(root), list[str]()
        services = [self._service(name, command) for name, command in commands.items()]
        self.stack: Any = SimpleNamespace(
            folder=self.folder,
            broker=services[0],
            dependents=services[1:],
            services=services,
            gateway="http://127.0.0.1:1",
            flower="http://127.0.0.1:2",
        )
        self.supervisor = Supervisor(self.stack, self.messages.append)
        self.thread = threading.Thread(
            target=self.supervisor.run, args=(lambda: self.messages.append("ready"),)
        )

    def _service(self, name: str, command: str) -> Service:
        log = self.folder.root / "logs" / f"{name}.log"
        return Service(
            name, ("sh", "-c", command), {}, log, lambda: log.exists() and "ready" in log.read_text()
        )

    def run(self) -> None:
        """Run in this thread, for errors."""
        self.supervisor.run(lambda: self.messages.append("ready"))

    @property
    def pids(self) -> dict[str, int | None]:
        pids: dict[str, int | None] = json.loads(self.folder.ready_file.read_text())["pids"]
        return pids


@pytest.fixture(autouse=True)
def _nothing_to_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """These brokers are none."""
    monkeypatch.setattr(Supervisor, "_seed", lambda _: None)


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[Callable[..., Toy]]:
    """Makes toys; all of them are stopped at the end."""
    toys = []

    def make(**commands: str) -> Toy:
        toys.append(Toy(tmp_path, **commands))
        return toys[-1]

    yield make
    for one in toys:
        one.supervisor.stop.set()
        if one.thread.ident:
            one.thread.join()


def test_a_service_that_does_not_start_is_named_with_its_last_words(toy: Callable[..., Toy]) -> None:
    stack = toy(broker=LONG, worker=LONG, gateway="echo starting; echo the port is taken >&2; exit 1")

    with pytest.raises(Unavailable) as caught:
        stack.run()

    log = stack.folder.root / "logs" / "gateway.log"
    assert str(caught.value) == f"gateway did not start: the port is taken (see {log})"
    assert [service.pid for service in stack.stack.services] == [None] * 3, "something still runs"
    assert stack.messages == []


def test_a_service_that_never_gets_ready_is_not_waited_for_for_ever(
    toy: Callable[..., Toy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prodgen.embedded.supervisor.START_SECONDS", 0.3)
    with pytest.raises(Unavailable, match="broker did not start: still loading"):
        toy(broker="echo still loading; sleep 60").run()


def test_a_dead_service_comes_back_and_ready_json_names_its_new_process(toy: Callable[..., Toy]) -> None:
    stack = toy(broker=LONG, worker=LONG)
    stack.thread.start()
    wait_until(lambda: stack.messages == ["ready"], "it is not ready")
    assert stack.folder.ready_file.stat().st_mode & 0o777 == 0o600
    before = stack.pids

    stack.stack.dependents[0].process.kill()
    wait_until(lambda: stack.messages == ["ready", "started again: worker"], "the worker does not come back")
    wait_until(lambda: stack.pids["worker"] not in (None, before["worker"]), "ready.json is old")

    assert stack.pids["broker"] == before["broker"]
    stack.supervisor.stop.set()
    stack.thread.join()
    assert not stack.folder.ready_file.exists()
    assert [service.pid for service in stack.stack.services] == [None, None]


def test_a_stop_while_starting_ends_quietly(toy: Callable[..., Toy]) -> None:
    stack = toy(broker=LONG, worker="sleep 60")
    stack.thread.start()
    wait_until(lambda: stack.stack.dependents[0].pid is not None, "the worker does not start")

    stack.supervisor.stop.set()
    stack.thread.join(60)

    assert not stack.thread.is_alive()
    assert stack.messages == []


def test_a_full_disk_is_waited_for_and_named_once(mount: Callable[[str], Path]) -> None:
    stack = Toy(mount("size=4m") / "data", broker=LONG, worker=LONG)
    stack.thread.start()
    try:
        wait_until(lambda: stack.messages == ["ready"], "it is not ready")
        before, filler = stack.pids, stack.folder.root / "filler"
        fill(filler)

        stack.stack.dependents[0].process.kill()
        wait_until(lambda: len(stack.messages) > 1, "nothing is said of the full disk")
        time.sleep(2.5)

        full = f"the disk of {stack.folder.root} is full: make room, and the service continues by itself"
        assert stack.messages == ["ready", full]
        assert stack.stack.dependents[0].pid is None, "it was started without room"
        filler.unlink()
        expected = ["ready", full, "the disk has room again", "started again: worker"]
        wait_until(lambda: stack.messages == expected, "the worker does not come back")
        assert stack.pids["worker"] not in (None, before["worker"])
        assert stack.pids["broker"] == before["broker"]
    finally:
        stack.supervisor.stop.set()
        stack.thread.join()


def fill(path: Path) -> None:
    """Write to the file until the disk has no room for one more byte."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
