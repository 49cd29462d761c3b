"""What the commands print is JSON for programs, and nobody sees what is another's."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.servers.up import Up, wait_for_progress


def said(up: Up, *arguments: object, **environment: str) -> Any:
    """What a command prints with --json."""
    done = up.cli(*arguments, "--json", **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def job(up: Up) -> str:
    """A job of four images that has ended."""
    ended: dict[str, Any] = said(up, "submit", "--count", 4, "--wait")
    assert ended["state"] == "succeeded"
    return str(ended["id"])


def test_a_job_can_be_listed_shown_watched_and_fetched(up: Up, job: str, tmp_path: Path) -> None:
    assert job in [listed["id"] for listed in said(up, "jobs", "list")]
    assert said(up, "jobs", "show", job)["total"] == 4
    assert said(up, "jobs", "watch", job)["state"] == "succeeded"
    assert said(up, "jobs", "download", job, "--out", tmp_path / "out")["images"] == 4
    assert len([*(tmp_path / "out").glob("*.png")]) == 4


def test_a_cancelled_job_makes_no_more(up: Up) -> None:
    running = said(up, "submit", "--count", 50_000)["id"]
    with up.client() as client:
        wait_for_progress(client, running, 1)

    cancelled = said(up, "jobs", "cancel", running)

    assert cancelled["state"] == "cancelled"
    assert said(up, "jobs", "watch", running)["done"] == cancelled["done"] < 50_000


def test_models_say_what_they_can_be_asked_for(up: Up) -> None:
    listed = said(up, "models", "list")
    assert [model["name"] for model in listed] == ["fashion-mnist"]

    shown = said(up, "models", "show", listed[0]["id"])

    assert shown["attributes"][0]["name"] == "category"
    assert "sneaker" in shown["attributes"][0]["values"]
    assert said(up, "models", "seed") == [f"fashion-mnist@{shown['version']}"]


def test_tables_are_for_people(up: Up, job: str) -> None:
    for command in ("jobs list", f"jobs show {job}", "models list", "models show fashion-mnist", "keys list"):
        done = up.cli(*command.split())
        assert done.returncode == 0, done.stderr
        assert done.stdout + done.stderr


def test_a_revoked_key_opens_nothing(up: Up) -> None:
    key = said(up, "keys", "create", "--tenant", "default", "--label", "for a while")
    assert said(up, "jobs", "list", PRODGEN_API_KEY=key["key"])

    assert said(up, "keys", "revoke", key["id"])["id"] == key["id"]

    revoked = {listed["id"]: listed["revoked"] for listed in said(up, "keys", "list")}
    assert revoked[key["id"]]
    up.wait_refused(key["key"])


def test_tenants_cannot_see_each_other(up: Up, job: str, tmp_path: Path) -> None:
    key = said(up, "keys", "create", "--tenant", "stranger")["key"]

    assert said(up, "jobs", "list", PRODGEN_API_KEY=key) == []
    for command in ("show", "watch", "cancel", "download"):
        options = ("--out", tmp_path / "out") if command == "download" else ()
        done = up.cli("jobs", command, job, *options, PRODGEN_API_KEY=key)
        assert (done.returncode, done.stderr) == (2, f"prodgen: there is no job {job!r}\n")
    assert said(up, "submit", "--count", 1, "--wait", PRODGEN_API_KEY=key)["state"] == "succeeded"


def test_a_whole_ledger_needs_no_recovery(up: Up) -> None:
    assert said(up, "jobs", "recover", PRODGEN_REDIS_URL=up.redis_url) == {"rebuilt": False}
