"""A training run survives the loss of its processes, its node, its ledger and its broker."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from prodgen.cli.app import app
from prodgen.client import Client
from prodgen.spec.model_config import folder_version
from tests.servers.process import wait_until
from tests.servers.up import Up
from tests.toys import write_catalogue

PATIENCE = 120.0
RECIPE: dict[str, Any] = {"name": "toy", "family": "resnet", "widths": [16, 8], "latent_dim": 16, "batch": 16}
RECIPE |= {"steps": 100_000, "evaluate_every": 50_000, "sample_every": 50_000, "checkpoint_every": 20}
STATE = "checkpoint.safetensors"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Two training nodes, and one worker for the rest."""
    with Up(tmp_path_factory.mktemp("training") / "data", workers=1, training_workers=2) as running:
        yield running


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalogue(tmp_path_factory.mktemp("toys") / "toys", count=200, size=16)


@pytest.fixture(scope="module")
def data(stack: Up, toys: Path) -> str:
    pushed = stack.cli("data", "push", toys)
    assert pushed.returncode == 0, pushed.stderr
    return "toys"


@pytest.fixture(scope="module")
def run(stack: Up, data: str) -> Iterator[str]:
    """A run that never ends by itself."""
    with stack.client() as client:
        run: str = client.train({"recipe": RECIPE, "data": data})["id"]
        yield run
        client.command(run, "cancel")
        wait_until(lambda: client.run(run)["state"] == "cancelled", "it is not cancelled", PATIENCE)


def ranks(stack: Up) -> list[psutil.Process]:
    """Return the processes that train."""
    return stack.running("prodgen.training.process")


def wait_for_steps(client: Client, run: str, checkpoints: int = 1) -> int:
    """Wait until the run has written so many more checkpoints, and return its step."""
    begun = client.run(run)["step"]

    def has_progressed() -> bool:
        now = client.run(run)
        assert now["state"] in ("queued", "running"), now
        return now["state"] == "running" and now["step"] >= begun + checkpoints * RECIPE["checkpoint_every"]

    wait_until(has_progressed, "the run makes no progress", PATIENCE)
    step: int = client.run(run)["step"]
    return step


def kill_rank(stack: Up) -> None:
    os.kill(ranks(stack)[0].pid, signal.SIGKILL)


def kill_torchrun(stack: Up) -> None:
    os.kill(stack.running("torch.distributed.run")[0].pid, signal.SIGKILL)


def kill_child(stack: Up) -> None:
    [agent] = stack.running("torch.distributed.run")
    os.kill(agent.ppid(), signal.SIGKILL)


def kill_worker(stack: Up) -> None:
    [agent] = stack.running("torch.distributed.run")
    os.kill(psutil.Process(agent.ppid()).ppid(), signal.SIGKILL)


def wipe(stack: Up) -> None:
    stack.ledger().client.flushall()


def kill_broker(stack: Up) -> None:
    stack.kill("broker")


@pytest.mark.soak
def test_what_was_killed_on_its_way_is_the_very_model_of_an_untroubled_run(
    stack: Up, data: str, toys: Path, tmp_path: Path
) -> None:
    recipe = {**RECIPE, "steps": 500, "evaluate_every": 500}
    with stack.client() as client:
        queued = client.train({"recipe": recipe, "data": data, "name": "killed"})["id"]
        wait_for_steps(client, queued)
        kill_torchrun(stack)
        list(client.watch_run(queued))
        ended = client.run(queued)
        assert (ended["state"], ended["step"], ended["restarts"]) == ("succeeded", 500, 1), ended
        model = client.model("killed@latest")

    table = "\n".join(f"{key} = {value!r}".replace("'", '"') for key, value in recipe.items())
    (tmp_path / "toy.toml").write_text(table)
    arguments = ["train", tmp_path / "toy.toml", "--data", toys, "--out", tmp_path / "run"]
    assert not app([*map(str, arguments), "--json"], standalone_mode=False)
    assert model["version"] == folder_version(tmp_path / "run" / "model")
    assert ended["model"] == f"killed@{model['version']}"
    assert model["lineage"]["run"] == queued


@pytest.mark.parametrize("fault", [kill_rank, kill_torchrun, kill_child, kill_worker, wipe, kill_broker])
def test_a_run_outlives(stack: Up, run: str, fault: Callable[[Up], None]) -> None:
    with stack.client() as client:
        reached = wait_for_steps(client, run, checkpoints=2)
        before = {p.pid for p in ranks(stack)}

        fault(stack)

        if fault is not kill_broker:  # a run need not notice it
            wait_until(lambda: not before & {p.pid for p in ranks(stack)}, "it was not stopped", PATIENCE)
            reached = client.run(run)["step"]  # it went on until it was stopped
        # The node may report steps of the attempt that was stopped before the next attempt has a process.
        wait_until(lambda: bool(ranks(stack)), "no attempt has a process", PATIENCE)
        wait_until(lambda: client.run(run)["step"] > reached, "no attempt continues the run", PATIENCE)
        assert len(ranks(stack)) == 1, "it runs twice at once"
        assert client.run(run)["error"] is None


def test_a_node_that_freezes_past_its_lease_ends_itself_and_changes_nothing(stack: Up, run: str) -> None:
    with stack.client() as client:
        wait_for_steps(client, run)
        [agent] = stack.running("torch.distributed.run")
        launcher = psutil.Process(agent.ppid())
        [rank] = ranks(stack)

        launcher.suspend()  # its processes continue, but their lease is not renewed
        try:
            wait_until(lambda: rank not in ranks(stack), "it lives", PATIENCE)
            wait_until(lambda: len(client.run(run)["nodes"]) == 1, "no attempt continues the run", PATIENCE)
            reached = wait_for_steps(client, run)
        finally:
            launcher.resume()

        wait_for_steps(client, run)
        assert client.run(run)["step"] > reached
        assert len(ranks(stack)) == 1


def test_a_paused_run_waits_even_through_a_wipe_and_goes_on_from_its_checkpoint(stack: Up, run: str) -> None:
    with stack.client() as client:
        wait_for_steps(client, run)
        assert client.command(run, "pause")["wish"] == "pause"
        wait_until(lambda: client.run(run)["state"] == "paused", "it is not paused", PATIENCE)
        step = client.run(run)["step"]
        wait_until(lambda: not ranks(stack), "it still trains", PATIENCE)

        wipe(stack)
        wait_until(lambda: stack.ledger().epoch() is not None, "the ledger is not rebuilt", PATIENCE)
        assert (client.run(run)["state"], client.run(run)["step"]) == ("paused", step)

        assert client.command(run, "resume")["state"] == "queued"
        wait_for_steps(client, run)
        assert client.run(run)["step"] > step


def test_a_command_that_no_node_has_received_yet_outlives_a_wipe(stack: Up, run: str) -> None:
    with stack.client() as client:
        wait_for_steps(client, run)
        kill_torchrun(stack)
        wait_for_steps(client, run, checkpoints=2)
        before = client.run(run)["restarts"]
        assert before
        [agent] = stack.running("torch.distributed.run")
        launcher = psutil.Process(agent.ppid())

        launcher.suspend()
        try:
            assert client.command(run, "pause")["wish"] == "pause"
            wipe(stack)
        finally:
            launcher.resume()

        wait_until(lambda: client.run(run)["state"] == "paused", "the command is lost", PATIENCE)
        wait_until(lambda: not ranks(stack), "it still trains", PATIENCE)
        assert client.run(run)["restarts"] == before
        assert client.command(run, "resume")["state"] == "queued"
        wait_for_steps(client, run)
        assert client.run(run)["restarts"] == before
