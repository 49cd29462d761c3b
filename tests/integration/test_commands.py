"""Commands print JSON for programs and words for people, and show a tenant nothing of another tenant's."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from prodgen.bundled import bundled_folders
from tests.servers.up import PRODGEN, Up, clean_environment, run_here, wait_for_progress


@pytest.fixture(scope="module")
def job(up: Up) -> str:
    """An ended job of four images."""
    ended: dict[str, Any] = up.json("submit", "--count", 4, "--wait")
    assert ended["state"] == "succeeded"
    return str(ended["id"])


def test_a_job_can_be_listed_shown_watched_and_fetched(up: Up, job: str, tmp_path: Path) -> None:
    assert job in [listed["id"] for listed in up.json("jobs", "list")]
    assert up.json("jobs", "show", job)["total"] == 4
    assert up.json("jobs", "watch", job)["state"] == "succeeded"
    assert up.json("jobs", "download", job, "--out", tmp_path / "out")["images"] == 4
    assert len([*(tmp_path / "out").glob("*.png")]) == 4


def test_a_cancelled_job_makes_no_more(up: Up) -> None:
    running = up.json("submit", "--count", 50_000)["id"]
    with up.client() as client:
        wait_for_progress(client, running, 1)

    cancelled = up.json("jobs", "cancel", running)

    assert cancelled["state"] == "cancelled"
    watched = up.cli("jobs", "watch", running, "--json")
    assert watched.returncode == 1, "images are missing"
    assert json.loads(watched.stdout)["done"] == cancelled["done"] < 50_000


def test_ctrl_c_while_waiting_says_how_to_continue(up: Up, tmp_path: Path) -> None:
    command = [str(PRODGEN), "submit", "--count", "50000", "--out", str(tmp_path / "out")]
    with up.client() as client:
        waiting = subprocess.Popen(command, env=up.environment, stderr=subprocess.PIPE, text=True)
        assert waiting.stderr is not None
        _, job, *words = waiting.stderr.readline().split()
        assert words == ["is", "accepted:", "50000", "images"]
        wait_for_progress(client, job, 1)

        waiting.send_signal(signal.SIGINT)
        _, remarks = waiting.communicate(timeout=100)

        state = client.cancel(job)["state"]
    assert waiting.returncode == 130
    ends = f"prodgen jobs watch {job}, then prodgen jobs download {job} --out {tmp_path / 'out'}"
    assert f"job {job} is not stopped: {ends}\n" in remarks
    assert "Traceback" not in remarks
    assert state == "cancelled", "the job ended before"


def test_an_image_that_is_gone_is_named_in_a_sentence(up: Up, tmp_path: Path) -> None:
    job = up.json("submit", "--count", 2, "--wait")["id"]
    up.store.delete([info.key for info in up.store.list(f"tenants/default/jobs/{job}/cells/")][1:])

    done = up.cli("jobs", "download", job, "--out", tmp_path / "out", "--json")

    sentence = "prodgen: 000000001.png is no longer in the store\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", sentence)


def test_models_say_what_they_can_be_asked_for(up: Up) -> None:
    listed = up.json("models", "list")
    assert sorted(model["name"] for model in listed) == sorted(folder.name for folder in bundled_folders())

    shown = up.json("models", "show", "fashion-mnist")

    assert shown["attributes"][0]["name"] == "category"
    assert "sneaker" in shown["attributes"][0]["values"]
    assert f"fashion-mnist@{shown['version']}" in up.json("models", "seed")


def test_tables_are_for_people(up: Up, job: str) -> None:
    for command in ("jobs list", f"jobs show {job}", "models list", "models show fashion-mnist", "keys list"):
        done = up.cli(*command.split())
        assert done.returncode == 0, done.stderr
        assert done.stdout + done.stderr


def test_a_revoked_key_opens_nothing(up: Up) -> None:
    key = up.json("keys", "create", "--tenant", "default", "--label", "for a while")
    assert up.json("jobs", "list", PRODGEN_API_KEY=key["key"])

    assert up.json("keys", "revoke", key["id"])["id"] == key["id"]

    revoked = {listed["id"]: listed["revoked"] for listed in up.json("keys", "list")}
    assert revoked[key["id"]]
    up.wait_refused(key["key"])


def test_tenants_cannot_see_each_other(up: Up, job: str, tmp_path: Path) -> None:
    key = up.json("keys", "create", "--tenant", "stranger")["key"]

    assert up.json("jobs", "list", PRODGEN_API_KEY=key) == []
    for command in ("show", "watch", "cancel", "download"):
        options = ("--out", tmp_path / "out") if command == "download" else ()
        done = up.cli("jobs", command, job, *options, PRODGEN_API_KEY=key)
        assert (done.returncode, done.stderr) == (2, f"prodgen: there is no job {job!r}\n")
    assert not (tmp_path / "out").exists()
    assert up.json("submit", "--count", 1, "--wait", PRODGEN_API_KEY=key)["state"] == "succeeded"


def test_commands_on_the_store_say_which(up: Up) -> None:
    made = up.cli("keys", "create", "--tenant", "default")
    assert made.stdout.startswith("pg_")
    recovered = up.cli("jobs", "recover", PRODGEN_REDIS_URL=up.redis_url)
    for done in (made, up.cli("keys", "list"), up.cli("models", "seed"), recovered):
        assert done.returncode == 0, done.stderr
        assert f"file://{up.data_dir / 'store'}" in done.stderr


@pytest.mark.parametrize(
    "command", ["keys list", "keys create --tenant default", "keys revoke x", "models seed", "jobs recover"]
)
def test_no_command_creates_a_store_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    environment, words = clean_environment(), command.split()
    monkeypatch.chdir(tmp_path)
    elsewhere = run_here(*words, environment=environment)
    environment["PRODGEN_STORE_URL"] = f"file://{tmp_path}"  # a --data-dir instead of its store
    beside = run_here(*words, environment=environment)

    for done, folder in ((elsewhere, tmp_path / "data" / "store"), (beside, tmp_path)):
        assert done.returncode == 2, done.stdout
        begins = f"prodgen: there is no store in {folder}; set PRODGEN_STORE_URL to file://DIR/store, "
        assert done.stderr == begins + "where DIR is the --data-dir of `prodgen up`\n"
    assert [*tmp_path.iterdir()] == []


def test_a_whole_ledger_needs_no_recovery(up: Up) -> None:
    assert up.json("jobs", "recover", PRODGEN_REDIS_URL=up.redis_url) == {"rebuilt": False}
