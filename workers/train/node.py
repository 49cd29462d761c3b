"""A training worker is a node of the roster: it has a name, an address, files and a heartbeat.

The worker's main process sends the heartbeats. The worker's only child process works on runs. A worker that
restarts becomes a new node; the work of its old node ends when the old lease ends.
"""

import fcntl
import glob
import logging
import os
import secrets
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from prodgen.errors import Unavailable
from prodgen.ledger.run_entries import Assignment
from prodgen.settings import Settings
from workers.app import node_queue, ring_node
from workers.deployment import Deployment, deployment

log = logging.getLogger("prodgen.training")

_NAME = "PRODGEN_NODE"


class TrainingNode:
    """A training node. The worker's main process and its child process each have an object for it.

    ``address``: where other nodes reach this node. ``devices``: its number of GPUs.
    """

    def __init__(self, deployment: Deployment, name: str) -> None:
        settings = deployment.settings
        self.name, self.store, self.roster = name, deployment.store, deployment.roster
        self.folder = settings.training_folder.expanduser()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.address = settings.node_address or own_address(settings)
        self.devices = count_devices()
        self._leaving, self._working = self.folder / f"{name}.leaving", self.folder / f"{name}.working"

    def join(self) -> None:
        """Start to send heartbeats, and delete the files of dead nodes. Only the main process calls this."""
        self._lock = (self.folder / f"{self.name}.lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # until this process ends
        threading.Thread(target=self._send_heartbeats, name="heartbeat", daemon=True).start()
        self._tidy()

    def _tidy(self) -> None:
        """Delete the runs and flag files of dead nodes. A node is dead if no process holds its lock file."""
        for lock in self.folder.glob("*~*.lock"):
            if not _is_locked(lock):
                node = glob.escape(lock.stem)
                for run in self.folder.glob(f"runs/*-{node}"):
                    shutil.rmtree(run, ignore_errors=True)
                for flag in self.folder.glob(f"{node}.*"):
                    flag.unlink(missing_ok=True)

    def leave(self) -> None:
        """Make the child process write a checkpoint and give its run back. The node gets no further run."""
        self._leaving.touch()
        try:
            self.roster.leave(self.name)
        except Unavailable as error:
            log.warning("the roster does not know that this node leaves: %s", error)

    def is_leaving(self) -> bool:
        """Return whether the worker was asked to stop."""
        return self._leaving.exists()

    @contextmanager
    def working(self, assignment: Assignment) -> Iterator[None]:
        """Mark the child process as working on ``assignment`` within the block."""
        self._working.write_text(assignment.token)
        try:
            yield
        finally:
            self._working.unlink(missing_ok=True)

    def _token_at_work(self) -> str:
        with suppress(FileNotFoundError):
            return self._working.read_text()
        return ""

    def _send_heartbeats(self) -> None:
        """Send heartbeats until the node leaves. Ring the child again if it has missed an assignment."""
        stopped, known = threading.Event(), ""
        while not self.is_leaving():
            try:
                assignment = self.roster.heartbeat(self.name, self.address, self.devices)
                token = assignment.token if assignment else ""
                missed = token and token == known != self._token_at_work()
                if assignment and missed and not self.roster.ledger.client.llen(node_queue(self.name)):
                    ring_node(self.name, assignment.title)
                known = token
            except Exception as error:  # this thread must survive any failure of Redis
                log.warning("no heartbeat: %s", error)
            stopped.wait(self.roster.lease_seconds / 4)


def _is_locked(lock: Path) -> bool:
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # a process holds it, or has just deleted it
        return True
    return False


def name_node(worker: str) -> str:
    """Give this worker's node a new name, which its child process inherits, and return the name."""
    os.environ[_NAME] = f"{worker}~{secrets.token_hex(3)}"
    return os.environ[_NAME]


@cache
def training_node() -> TrainingNode:
    """Return this process's object for the worker's node, made at the first call."""
    return TrainingNode(deployment(), os.environ[_NAME])


def own_address(settings: Settings) -> str:
    """Return the address from which this machine reaches Redis. Other nodes reach this machine at it."""
    redis = urlsplit(settings.redis_url.get_secret_value())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((redis.hostname or "127.0.0.1", redis.port or 6379))
        address: str = probe.getsockname()[0]
    return address


def count_devices() -> int:
    """Return how many GPUs training may use. Does not ask torch, which no process may use before a fork."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return len([device for device in visible.split(",") if device.strip()])
    if not shutil.which("nvidia-smi"):
        return 0
    done = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False)
    return done.stdout.count("GPU ")
