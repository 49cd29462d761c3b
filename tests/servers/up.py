"""Run ``prodgen up`` as its users do; kill it, and start it again on the same data."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import httpx
import psutil
import pytest
import redis

from prodgen.cli import main
from prodgen.client import Client
from prodgen.ledger.ledger import Ledger
from prodgen.settings import settings
from prodgen.storage.local import LocalStore
from tests.servers.process import free_port, wait_until

PRODGEN = Path(sys.executable).with_name("prodgen")

START_SECONDS = 120.0
STOP_SECONDS = 100.0
PATIENCE = 120.0

SETTINGS = {
    "PRODGEN_LEASE_SECONDS": "3",
    "PRODGEN_TICK_SECONDS": "0.5",
    "PRODGEN_WEBHOOK_PRIVATE": "true",
    "OMP_NUM_THREADS": "1",
    "FLOWER_BASIC_AUTH": "operator:a password of Flower",
}
"""Short leases, so that lost work is soon repeated; one thread, so that sums have one order."""

FLOWER_TABLE = {
    "draw": 1,
    "start": 0,
    "length": 1000,
    "search[value]": "",
    "order[0][column]": 0,
    "columns[0][data]": "received",
    "order[0][dir]": "desc",
}


class Up:
    """A stack on a data folder, with ``settings``. A mark in the environment identifies its processes."""

    def __init__(
        self,
        data_dir: Path,
        workers: int = 2,
        training_workers: int = 0,
        settings: Mapping[str, str] = SETTINGS,
    ) -> None:
        self.data_dir, self.port = data_dir, free_port()
        self.workers, self.training_workers, self._settings = workers, training_workers, settings
        self.url = f"http://127.0.0.1:{self.port}"
        self._mark = uuid.uuid4().hex
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes():
            process.kill()
        wait_until(lambda: not self.processes(), "processes outlive kill -9")

    def start(self) -> None:
        """Start the stack; return when ready.json exists."""
        environment = {**clean_environment(), **self._settings, "PRODGEN_TEST_MARK": self._mark}
        command = [PRODGEN, "up", "--port", str(self.port), "--data-dir", self.data_dir]
        training = ("--training-workers", str(self.training_workers))
        with (self.data_dir.parent / f"{self.data_dir.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--workers", str(self.workers), *training, "--json"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

        def ready() -> bool:
            assert self._process
            assert self._process.poll() is None, Path(log.name).read_text()
            return self.ready_file.exists()

        wait_until(ready, "prodgen up is not ready", START_SECONDS)

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_SECONDS)

    def kill_supervisor(self) -> None:
        """Kill `prodgen up` itself with SIGKILL, but none of its services."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Kill a service with SIGKILL, or another signal, and return the process id that it had."""
        pid = self.pids[name]
        os.kill(pid, number)
        return pid

    def wait_replaced(self, name: str, pid: int) -> None:
        """Return when ready.json names a new process of the service."""
        wait_until(lambda: self.pids[name] not in (None, pid), f"{name} is not started again", PATIENCE)

    @property
    def ready_file(self) -> Path:
        return self.data_dir / "ready.json"

    @property
    def ready(self) -> dict[str, Any]:
        """The content of ready.json."""
        content: dict[str, Any] = json.loads(self.ready_file.read_text())
        return content

    @property
    def pids(self) -> dict[str, int]:
        """The process id of each service."""
        found: dict[str, int] = self.ready["pids"]
        return found

    def processes(self) -> list[psutil.Process]:
        """Return the stack's living processes, orphans too."""
        return marked(self._mark)

    def running(self, module: str) -> list[psutil.Process]:
        """Return the processes that run a Python module."""
        found = []
        for process in self.processes():
            with suppress(psutil.Error):
                words = process.cmdline()
                if "-m" in words and words[words.index("-m") + 1] == module:
                    found.append(process)
        return found

    @property
    def environment(self) -> dict[str, str]:
        """The environment of commands that use the gateway or the store."""
        return {
            **clean_environment(),
            "PRODGEN_URL": self.url,
            "PRODGEN_API_KEY": self.ready["api_key"],
            "PRODGEN_STORE_URL": f"file://{self.data_dir / 'store'}",
        }

    def client(self) -> Client:
        """Return a client with the stack's key."""
        return Client(self.url, self.ready["api_key"])

    @property
    def redis_url(self) -> str:
        """The URL of the broker, with the password."""
        text = (self.data_dir / "broker" / "valkey.conf").read_text()
        config = dict(line.split(" ", 1) for line in text.splitlines())
        return f"redis://:{config['requirepass']}@127.0.0.1:{config['port']}/0"

    def ledger(self) -> Ledger:
        """Return the ledger."""
        return Ledger(redis.Redis.from_url(self.redis_url))

    def leases(self, pid: int | str = "*") -> set[str]:
        """Return the tokens of the leases that a worker's process holds; by default those of all workers."""
        client = self.ledger().client
        names = client.keys(f"prodgen:worker:*-{pid}-*")
        return {token.decode() for name in names for token in client.smembers(name)}

    def log(self, name: str) -> str:
        """Return the log of a service."""
        return (self.data_dir / "logs" / f"{name}.log").read_text()

    def flower(self, path: str, **params: Any) -> httpx.Response:
        """Return the answer of Flower to its operator."""
        user, password = SETTINGS["FLOWER_BASIC_AUTH"].split(":")
        url = f"{self.ready['flower']}{path}"
        return httpx.get(url, params=params, auth=(user, password), timeout=60).raise_for_status()

    def flower_tasks(self) -> list[dict[str, Any]]:
        """Return the rows of Flower's page of tasks, the newest first."""
        rows: list[dict[str, Any]] = self.flower("/tasks/datatable", **FLOWER_TABLE).json()["data"]
        return rows

    @property
    def store(self) -> LocalStore:
        """The object store."""
        return LocalStore(self.data_dir / "store", "a-secret-for-no-link", self.url)

    def wait_refused(self, key: str) -> None:
        """Return when the gateway refuses a revoked key."""
        headers = {"Authorization": f"Bearer {key}"}

        def refused() -> bool:
            return httpx.get(f"{self.url}/v1/jobs", headers=headers, timeout=60).status_code == 401

        wait_until(refused, "a revoked key is still good")

    def cli(self, *arguments: object, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a ``prodgen`` command against the stack, in this process."""
        return run_here(*arguments, environment={**self.environment, **environment})

    def json(self, *arguments: object, **environment: str) -> Any:
        """Run a ``prodgen`` command with --json and return what it prints."""
        done = self.cli(*arguments, "--json", **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def run_prodgen(
    *arguments: object, environment: dict[str, str], folder: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run ``prodgen …`` in ``folder`` to its end."""
    command = [str(PRODGEN), *map(str, arguments)]
    return subprocess.run(
        command,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


def run_here(*arguments: object, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run ``prodgen …`` to its end in this process, which has loaded Python's libraries already."""
    command, out, err = ["prodgen", *map(str, arguments)], StringIO(), StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    settings.cache_clear()
    with (
        patch.dict(os.environ, {**environment, "COLUMNS": "80"}, clear=True),
        patch.object(sys, "argv", command),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    settings.cache_clear()
    for number, handler in handlers.items():
        signal.signal(number, handler)
    code = ended.value.code or 0
    assert isinstance(code, int)
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


def clean_environment() -> dict[str, str]:
    """Return this process's environment without settings of prodgen."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PRODGEN_")}


def wait_for_progress(client: Client, job: str, images: int) -> None:
    """Return as soon as the job has so many images; it must not have ended by then."""
    for event in client.watch(job):
        if event["done"] >= images:
            assert event["state"] == "running", "the job ended too early"
            return
    raise AssertionError("the job ended early")


def marked(mark: str) -> list[psutil.Process]:
    """Return the living processes that have the mark in their environment."""
    return [process for process in psutil.process_iter() if _has(process, mark)]


def _has(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get("PRODGEN_TEST_MARK") == mark and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
