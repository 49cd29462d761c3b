"""A training worker that starts joins the roster, whatever its dead and its living neighbours have left."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from prodgen.ledger.ledger import Ledger
from prodgen.ledger.roster import Roster
from prodgen.settings import Settings
from tests.ledger.conftest import client, ledger, memory, quick_valkey
from tests.runs.conftest import roster
from tests.servers.process import wait_until
from workers.train import node as node_module
from workers.train.node import TrainingNode

__all__ = ["client", "ledger", "memory", "quick_valkey", "roster"]


@pytest.fixture
def make_node(ledger: Ledger, roster: Roster, tmp_path: Path):
    settings = Settings(training_folder=tmp_path, node_address="10.0.0.1")
    deployment = SimpleNamespace(settings=settings, store=None, ledger=ledger, roster=roster)
    nodes = []

    def make(name: str) -> TrainingNode:
        nodes.append(TrainingNode(deployment, name))
        return nodes[-1]

    yield make
    for node in nodes:
        node.leave()


def write_files(folder: Path, name: str) -> list[Path]:
    """Write what a node that works on a run has in its folder."""
    (folder / "runs" / f"r1-{name}").mkdir(parents=True)
    flags = [folder / f"{name}.working", folder / f"{name}.leaving"]
    for flag in flags:
        flag.touch()
    return [*flags, folder / "runs" / f"r1-{name}"]


def kill(node: TrainingNode) -> None:
    """Drop the lock as the kernel does when the process dies."""
    node.leave()
    node._lock.close()


def alive(roster: Roster) -> list[str]:
    return [node.name for node in roster.nodes()]


def test_a_node_that_starts_leaves_the_files_of_its_living_neighbours_alone(make_node, roster, tmp_path):
    make_node("training@here~1").join()
    wait_until(lambda: alive(roster) == ["training@here~1"], "the node sends no heartbeat")
    files = write_files(tmp_path, "training@here~1")
    make_node("training@here~2").join()
    assert all(path.exists() for path in files)
    wait_until(lambda: len(alive(roster)) == 2, "a node sends no heartbeat")


def test_a_node_that_starts_deletes_what_dead_nodes_left(make_node, tmp_path):
    dead, foreign = make_node("training@here~1"), make_node("training@there~1")
    for node in (dead, foreign):
        node.join()
    left = write_files(tmp_path, dead.name) + write_files(tmp_path, foreign.name)
    kill(dead)
    kill(foreign)
    make_node("training@here~2").join()
    assert not any(path.exists() for path in left)
    assert [path.name for path in tmp_path.glob("*.lock")] == ["training@here~2.lock"]


def test_a_neighbour_that_tidies_at_the_same_time_does_not_keep_a_node_from_joining(
    make_node, roster, tmp_path, monkeypatch
):
    lock = tmp_path / "training@there~1.lock"
    lock.touch()
    files = write_files(tmp_path, "training@there~1")
    free = node_module._is_locked

    def tidied_meanwhile(path):
        locked = free(path)
        if path == lock:
            for file in files:
                file.rmdir() if file.is_dir() else file.unlink()
            lock.unlink()
        return locked

    monkeypatch.setattr(node_module, "_is_locked", tidied_meanwhile)
    make_node("training@here~1").join()
    wait_until(lambda: alive(roster) == ["training@here~1"], "the node sends no heartbeat")
