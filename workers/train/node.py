"""A training worker's own things: its name, its address, and the beat that says it lives.

The beat runs in the worker's main process; runs are worked on in its one child. A worker that is started
again is another node: what it did before is over when its old lease is.
"""

import logging
import os
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from urllib.parse import urlsplit

from prodgen.connections import connect_ledger
from prodgen.errors import Unavailable
from prodgen.ledger.roster import Roster
from prodgen.ledger.run_entries import Assignment
from prodgen.settings import Settings, settings
from prodgen.storage import Store, connect
from prodgen.storage.cache import ABANDONED
from workers.doorbells import node_queue, ring_node

log = logging.getLogger("prodgen.training")

_NAME = "PRODGEN_NODE"


class TrainingNode:
    """One a process; the main process and its child share the name by their environment."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.settings, self.name = settings, name
        self.store: Store = connect(settings)
        self.roster = Roster(connect_ledger(settings))
        self.folder = settings.training_folder.expanduser()
        self.address = settings.node_address or own_address(settings)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._leaving, self._working = self.folder / f"{name}.leaving", self.folder / f"{name}.working"
        self.devices = count_devices()

    def tidy(self) -> None:
        """Drop what this worker left when it was killed, and what others left that nobody has touched for a
        day: those were other nodes, and they are dead."""
        host = self.name.partition("~")[0]
        own = [*self.folder.glob(f"{host}~*"), *self.folder.glob(f"runs/*-{host}~*")]
        others = [*self.folder.glob("runs/*"), *self.folder.glob("*/.partial-*")]
        old = [path for path in others if time.time() - path.stat().st_mtime > ABANDONED]
        for path in {*own, *old}:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def leave(self) -> None:
        """Let the child hand its run back, with a checkpoint, and nobody count on this node."""
        self._leaving.touch()
        try:
            self.roster.leave(self.name)
        except Unavailable as error:
            log.warning("the roster does not know that this node leaves: %s", error)

    def is_leaving(self) -> bool:
        """Whether the worker was asked to go."""
        return self._leaving.exists()

    @contextmanager
    def working(self, part: Assignment) -> Iterator[None]:
        """The child is at it until the end of the block."""
        self._working.write_text(part.token)
        try:
            yield
        finally:
            self._working.unlink(missing_ok=True)

    def _at_work(self) -> str:
        with suppress(FileNotFoundError):
            return self._working.read_text()
        return ""

    def beat(self) -> None:
        """From now on: the node lives; where a message was lost, its part in a run is told again."""
        threading.Thread(target=self._beat, name="beat", daemon=True).start()

    def _beat(self) -> None:
        over, told = threading.Event(), ""
        while not self.is_leaving():
            try:
                part: Assignment | None = self.roster.heartbeat(self.name, self.address, self.devices)
                lost = part is not None and part.token == told != self._at_work()
                if part and lost and not self.roster.ledger.client.llen(node_queue(self.name)):
                    ring_node(self.name, part.title)
                told = part.token if part else ""
            except Exception as error:  # this thread must outlive whatever happens to Redis
                log.warning("no beat: %s", error)
            over.wait(self.roster.lease_seconds / 4)


def name_node(host: str) -> str:
    """A new name for the node of the worker ``host``, known to the processes that it starts."""
    os.environ[_NAME] = f"{host}~{secrets.token_hex(3)}"
    return os.environ[_NAME]


@cache
def training_node() -> TrainingNode:
    """This worker's."""
    return TrainingNode(settings(), os.environ[_NAME])


def own_address(settings: Settings) -> str:
    """The address by which this machine reaches Redis; others reach it by the same."""
    redis = urlsplit(settings.redis_url.get_secret_value())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((redis.hostname or "127.0.0.1", redis.port or 6379))
        address: str = probe.getsockname()[0]
    return address


def count_devices() -> int:
    """GPUs that training may use here; torch is not asked, since a process that forks must not touch them."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return len([device for device in visible.split(",") if device.strip()])
    if not shutil.which("nvidia-smi"):
        return 0
    done = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False)
    return done.stdout.count("GPU ")
