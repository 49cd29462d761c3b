"""``prodgen up`` keeps its services running, shows them, and leaves other processes alone."""

from pathlib import Path

import httpx
import pytest

from tests.servers.process import free_port, wait_until
from tests.servers.up import PATIENCE, Up, clean_environment, run_prodgen


def test_ready_json_names_every_process(up: Up) -> None:
    assert set(up.pids) == {"broker", "gateway", "worker-1", "training-1", "maintenance", "beat", "flower"}
    assert set(up.pids.values()) <= {process.pid for process in up.processes()}
    assert up.ready_file.stat().st_mode & 0o077 == 0, "others may read the key"


def test_a_worker_that_dies_is_started_again(up: Up) -> None:
    pid = up.kill("worker-1")

    up.wait_replaced("worker-1", pid)

    assert up.cli("submit", "--count", 1, "--wait").returncode == 0


def test_flower_shows_what_was_made(up: Up) -> None:
    with up.client() as client:
        job = client.submit({"model": "fashion-mnist", "count": 3})["id"]
        for _ in client.watch(job):
            pass

    def shown() -> set[str]:
        return {task["result"] for task in up.flower_tasks() if f"job {job[:6]}" in task["result"]}

    ended = f"job {job[:6]} succeeded: 3 images"
    wait_until(lambda: ended in shown(), "Flower does not show the order's end", PATIENCE)
    assert any(line.startswith(f"job {job[:6]} cells 0-0: 3 images, ") for line in shown())
    assert "flower_events_total" in httpx.get(f"{up.ready['flower']}/metrics", timeout=60).text
    assert httpx.get(f"{up.ready['flower']}/tasks", timeout=60).status_code == 401
    assert "Tasks" in up.flower("/tasks").text


@pytest.mark.parametrize("shared", ["port", "folder"])
def test_a_second_stack_does_not_disturb_the_first(up: Up, shared: str) -> None:
    other = up.data_dir.with_name("other")
    port, folder = (up.port, other) if shared == "port" else (free_port(), up.data_dir)

    done = run_prodgen("up", "--port", port, "--data-dir", folder, environment=up.environment)

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    expected = "is taken; choose another with --port" if shared == "port" else "runs on the data folder"
    assert expected in done.stderr
    assert up.cli("submit", "--count", 1, "--wait").returncode == 0


def test_a_folder_that_cannot_be_made_is_named(up: Up) -> None:
    (up.data_dir.parent / "file").touch()

    words = ("up", "--port", free_port(), "--data-dir", up.data_dir.parent / "file" / "data")
    done = run_prodgen(*words, environment=up.environment)

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot be made" in done.stderr


def test_one_port_is_not_given_to_two_services(tmp_path: Path) -> None:
    words = ("up", "--port", 8123, "--flower-port", 8123, "--data-dir", tmp_path / "data")

    done = run_prodgen(*words, environment=clean_environment())

    sentence = "prodgen: --port and --flower-port are both 8123; choose two\n"
    assert (done.returncode, done.stderr) == (2, sentence)
    assert not (tmp_path / "data").exists()
