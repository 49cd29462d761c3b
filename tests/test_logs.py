"""Logs of every process can be parsed line by line and joined by their ids."""

import json
import logging
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from prodgen import logs

RECORDS = """
import logging, structlog
from prodgen import logs

logs.configure("worker")
logs.configure("worker")
log = logging.getLogger("prodgen.worker")
logs.bind(request_id="r-1", tenant=None)
with logs.bound(job="j-1", lease=None):
    log.info("made %d images", 64, extra={"ms": 3.5})
    structlog.get_logger("prodgen.other").warning("slow", seconds=2)
log.debug("too fine")
logging.getLogger("httpx").info("https://shop.example/hook?secret")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("it\\nfailed: \\ud800 é")
"""


def run(code: str, **environment: str) -> list[str]:
    """Return the lines that a new process with this code writes to stderr."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    return done.stderr.splitlines()


def parsed(code: str, **environment: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(code, **environment)]


def on_terminal(code: str, **environment: str) -> str:
    """Return what a new process with this code writes to stderr when stderr is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code], stderr=theirs, env={**os.environ, "NO_COLOR": "1", **environment}
    )
    os.close(theirs)
    text = b""
    while True:
        try:
            text += (piece := os.read(ours, 65536))
        except OSError:  # how Linux says that the other side has closed
            break
        if not piece:
            break
    os.close(ours)
    assert process.wait() == 0
    return text.decode()


def test_each_record_is_one_json_line_with_its_ids() -> None:
    made, slow, failed = parsed(RECORDS)
    assert made.pop("time").endswith("Z")
    assert made == {
        "level": "info",
        "logger": "prodgen.worker",
        "message": "made 64 images",
        "process": "worker",
        "request_id": "r-1",
        "job": "j-1",
        "ms": 3.5,
    }
    assert (slow["message"], slow["seconds"], slow["level"]) == ("slow", 2, "warning")
    assert (slow["process"], slow["job"], slow["request_id"]) == ("worker", "j-1", "r-1")
    assert failed["message"] == "it\nfailed: \ud800 é"
    assert failed["exception"].splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert "job" not in failed


def test_a_process_of_a_run_logs_the_request_that_queued_it() -> None:
    code = "import logging; from prodgen import logs; logs.configure('training'); logging.warning('slow')"
    [line] = run(code, PRODGEN_REQUEST_ID="r-7")
    assert json.loads(line)["request_id"] == "r-7"
    assert {json.loads(line)["request_id"] for line in run(RECORDS, PRODGEN_REQUEST_ID="r-7")} == {"r-1"}


def test_a_terminal_shows_readable_lines_unless_in_production() -> None:
    text = on_terminal(RECORDS)
    assert "made 64 images" in text
    assert "job=j-1" in text
    assert "ZeroDivisionError: division by zero" in text
    assert '{"' not in text
    lines = on_terminal(RECORDS, PRODGEN_ENVIRONMENT="production").splitlines()
    assert [json.loads(line)["level"] for line in lines] == ["info", "warning", "error"]


def test_a_traceback_shows_no_local_variables() -> None:
    code = RECORDS.replace("    1 / 0", "    secret = 'pg_' + 'abc'\n    1 / 0")
    assert "pg_abc" not in "".join(run(code)) + on_terminal(code)


def test_handlers_of_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [*root.handlers])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(logging.getLogger("httpx"), "level", logging.NOTSET)
    before = [*root.handlers]
    logs.configure("gateway")
    assert root.handlers[:-1] == before


def test_logs_need_neither_torch_nor_a_secret() -> None:
    code = (
        "import sys; from prodgen.logs import configure; configure('training');"
        "assert not {'torch', 'pydantic', 'redis'} & {*sys.modules}"
    )
    assert run(code, PRODGEN_ENVIRONMENT="production") == []
