"""A run's processes are told what they need, and the id of the request that queued the run."""

import subprocess

import pytest

from prodgen.ledger.run_entries import Assignment
from prodgen.runs.files import load_record
from prodgen.runs.inputs import Inputs
from prodgen.runs.launch import launch
from prodgen.storage import keys
from tests.runs.conftest import new_run

ASSIGNMENT = Assignment("r1", "train toy", "ada", "1", "n1", "127.0.0.1", 4000, 1)


@pytest.fixture
def started(monkeypatch):
    """The arguments of the processes that are started."""
    calls = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, env, **_: calls.append((command, env)))
    return calls


def test_the_processes_know_the_request_that_queued_the_run(started, tmp_path):
    record = new_run("r1").model_copy(update={"request_id": "req-7"})
    inputs = Inputs(tmp_path / "data", None, None, tmp_path / "judges")
    launch(ASSIGNMENT, record, inputs, tmp_path, "127.0.0.1", is_host=True)
    [(command, environment)] = started
    assert environment["PRODGEN_REQUEST_ID"] == "req-7"
    assert f"--data={tmp_path / 'data'}" in command
    assert "--rdzv-endpoint=127.0.0.1:4000" in command


def test_a_run_that_an_earlier_version_queued_has_no_request_id(started, memory, tmp_path):
    written = new_run("r1").model_dump_json(by_alias=True, exclude={"request_id"})
    memory.put(keys.run("ada", "r1", "spec.json"), written.encode())
    record = load_record(memory, "ada", "r1")
    launch(ASSIGNMENT, record, Inputs(tmp_path, None, None, tmp_path), tmp_path, "127.0.0.1", is_host=True)
    assert record.request_id is None
    assert "PRODGEN_REQUEST_ID" not in started[0][1]
