"""``prodgen up`` as a person runs it: a process of its own, killed and started again on the same data."""

import json
import os
import signal
import subprocess
import sys
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
import redis

from prodgen.client import Client
from prodgen.ledger.ledger import Ledger
from prodgen.storage.local import LocalStore
from tests.servers.process import free_port, wait_until

PRODGEN = Path(sys.executable).with_name("prodgen")

START_SECONDS = 120.0
STOP_SECONDS = 40.0
PATIENCE = 60.0

SETTINGS = {"PRODGEN_LEASE_SECONDS": "3", "PRODGEN_TICK_SECONDS": "0.5", "OMP_NUM_THREADS": "1"}
"""Short, so that what a lost worker held is soon another's; sums are made in one order everywhere."""


class Up:
    """One stack on one data folder. Its processes carry a mark, by which those left over are found."""

    def __init__(self, data_dir: Path, workers: int = 2, training_workers: int = 0) -> None:
        self.data_dir, self.port = data_dir, free_port()
        self.workers, self.training_workers = workers, training_workers
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
        """Return when ready.json says that all of it answers."""
        environment = {**clean_environment(), **SETTINGS, "PRODGEN_TEST_MARK": self._mark}
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
        """SIGTERM -> the exit code."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_SECONDS)

    def kill_supervisor(self) -> None:
        """``kill -9`` of `prodgen up` itself, and of nothing else."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def kill(self, name: str) -> int:
        """``kill -9`` of one service -> the pid that it had."""
        pid = self.pids[name]
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_replaced(self, name: str, pid: int) -> None:
        """Return when ready.json names another, living process for the service."""
        wait_until(lambda: self.pids[name] not in (None, pid), f"{name} is not started again", PATIENCE)

    @property
    def ready_file(self) -> Path:
        return self.data_dir / "ready.json"

    @property
    def ready(self) -> dict[str, Any]:
        """ready.json."""
        content: dict[str, Any] = json.loads(self.ready_file.read_text())
        return content

    @property
    def pids(self) -> dict[str, int]:
        """The process of each service."""
        found: dict[str, int] = self.ready["pids"]
        return found

    def processes(self) -> list[psutil.Process]:
        """All that lives of it, whoever is its parent by now."""
        return [process for process in psutil.process_iter() if _has(process, self._mark)]

    def running(self, module: str) -> list[psutil.Process]:
        """Those that run a module of Python's, whatever their arguments name; some may end meanwhile."""
        found = []
        for process in self.processes():
            with suppress(psutil.Error):
                words = process.cmdline()
                if "-m" in words and words[words.index("-m") + 1] == module:
                    found.append(process)
        return found

    @property
    def environment(self) -> dict[str, str]:
        """For commands that speak to it, by HTTP or by its store."""
        return {
            **clean_environment(),
            "PRODGEN_URL": self.url,
            "PRODGEN_API_KEY": self.ready["api_key"],
            "PRODGEN_STORE_URL": f"file://{self.data_dir / 'store'}",
        }

    def client(self) -> Client:
        """A client with the stack's own key."""
        return Client(self.url, self.ready["api_key"])

    @property
    def redis_url(self) -> str:
        """Its broker, with the password."""
        text = (self.data_dir / "broker" / "valkey.conf").read_text()
        config = dict(line.split(" ", 1) for line in text.splitlines())
        return f"redis://:{config['requirepass']}@127.0.0.1:{config['port']}/0"

    def ledger(self) -> Ledger:
        """Its ledger, seen from outside."""
        return Ledger(redis.Redis.from_url(self.redis_url))

    def leases(self, pid: int | str = "*") -> set[str]:
        """The tokens of the leases that a worker's process holds; by default any worker's."""
        client = self.ledger().client
        names = client.keys(f"prodgen:worker:*-{pid}-*")
        return {token.decode() for name in names for token in client.smembers(name)}

    def log(self, name: str) -> str:
        """What a service wrote."""
        return (self.data_dir / "logs" / f"{name}.log").read_text()

    @property
    def store(self) -> LocalStore:
        """Its object store, seen from outside."""
        return LocalStore(self.data_dir / "store", "a-secret-for-no-link", self.url)

    def wait_refused(self, key: str) -> None:
        """Return when the gateway has heard that a key was revoked."""
        headers = {"Authorization": f"Bearer {key}"}

        def refused() -> bool:
            return httpx.get(f"{self.url}/v1/jobs", headers=headers).status_code == 401

        wait_until(refused, "a revoked key is still good")

    def cli(self, *arguments: object, **environment: str) -> "subprocess.CompletedProcess[str]":
        """A command of ours, as its users run it."""
        return run_prodgen(*arguments, environment={**self.environment, **environment})


def run_prodgen(
    *arguments: object, environment: dict[str, str], folder: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """``prodgen …`` to its end, run in ``folder``."""
    command = [str(PRODGEN), *map(str, arguments)]
    return subprocess.run(
        command,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )


def clean_environment() -> dict[str, str]:
    """This process's, without settings of prodgen."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PRODGEN_")}


def wait_for_progress(client: Client, job: str, images: int) -> None:
    """Return as soon as so many of the job's images count; it must not have ended by then."""
    for event in client.watch(job):
        if event["done"] >= images:
            assert event["state"] == "running", "the job is too small to be caught at work"
            return
    raise AssertionError("the job ended early")


def _has(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get("PRODGEN_TEST_MARK") == mark and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
