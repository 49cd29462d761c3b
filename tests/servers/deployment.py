"""A real deployment, each part by its own command: gateway, worker and beat, on Redis and S3."""

import json
import os
import sys
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import httpx
import redis

from prodgen.client import Client
from prodgen.embedded.service import Service
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.roster import Roster
from prodgen.storage.s3 import S3Store
from tests.servers.process import free_port, wait_until
from tests.servers.swift import S3Server
from tests.servers.up import SETTINGS, START_SECONDS, clean_environment, run_prodgen
from tests.servers.valkey import ValkeyServer

DATABASE = 5
CELERY = (sys.executable, "-m", "celery", "-A", "workers.app")


WORKERS = ("worker", "maintenance", "training")


class Deployment:
    """Seeded with the bundled models, and with one key of the tenant ``default``.

    ``workers``: how many of its processes make images. ``mark``: PRODGEN_TEST_MARK in their environment.
    """

    def __init__(
        self,
        folder: Path,
        valkey: ValkeyServer,
        s3: S3Server,
        workers: int = 1,
        settings: Mapping[str, str] = SETTINGS,
    ) -> None:
        self.folder, self.port, self.bucket = folder, free_port(), f"prodgen-{os.getpid()}"
        self.url = f"http://127.0.0.1:{self.port}"
        self.s3, self._workers, self._running = s3, workers, ExitStack()
        self.mark = uuid.uuid4().hex
        self.environment = {
            **clean_environment(),
            **settings,
            "PRODGEN_TEST_MARK": self.mark,
            "PRODGEN_ENVIRONMENT": "production",
            "PRODGEN_SECRET_KEY": "a-secret-of-these-tests-and-no-others",
            "PRODGEN_REDIS_URL": valkey.url(DATABASE),
            "PRODGEN_STORE_URL": f"s3://{self.bucket}",
            "PRODGEN_S3_ENDPOINT": s3.endpoint,
            "PRODGEN_S3_ACCESS_KEY": s3.access_key,
            "PRODGEN_S3_SECRET_KEY": s3.secret_key,
            "PRODGEN_PUBLIC_URL": self.url,
            "PRODGEN_MODEL_CACHE": str(folder / "models"),
            "PRODGEN_TRAINING_FOLDER": str(folder / "training"),
            "PRODGEN_URL": self.url,
        }
        valkey.client(DATABASE).flushdb()

    def __enter__(self) -> Self:
        with self._running:
            self._seed()
            self._start("gateway", (sys.executable, "-m", "api_gateway", "--port", str(self.port)))
            more = [(f"worker-{n}", "interactive,bulk") for n in range(2, self._workers + 1)]
            for name, queues in (("worker", "interactive,bulk"), ("maintenance", "maintenance"), *more):
                options = ("-Q", queues, "--pool", "threads", "-c", "8", "-n", f"{name}@%h")
                self._start(name, (*CELERY, "worker", *options))
            self._start("training", (*CELERY, "worker", "-Q", "training", "--pool", "prefork", "-c", "1"))
            self._start("beat", (*CELERY, "beat", "--schedule", str(self.folder / "beat"), "--pidfile", ""))
            wait_until(self._ready, f"the deployment is not ready; see {self.folder}", START_SECONDS)
            self._running = self._running.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def client(self) -> Client:
        """A client with the key."""
        return Client(self.url, self.environment["PRODGEN_API_KEY"])

    @property
    def store(self) -> S3Store:
        """The bucket."""
        return S3Store(self.bucket, self.s3.endpoint, self.s3.access_key, self.s3.secret_key)

    def step(self, run: str) -> int:
        """How far a training run is, whether or not the store answers."""
        ledger = Ledger(redis.Redis.from_url(self.environment["PRODGEN_REDIS_URL"]))
        status = Roster(ledger).status(run)
        return status.step if status else 0

    def _seed(self) -> None:
        scopes = "--scope generate --scope train"
        for command in ("models seed --json", f"keys create --tenant default {scopes} --json"):
            done = run_prodgen(*command.split(), environment=self.environment)
            assert done.returncode == 0, done.stderr
        self.environment["PRODGEN_API_KEY"] = json.loads(done.stdout)["key"]

    def _start(self, name: str, command: tuple[str, ...]) -> None:
        log = self.folder / f"{name}.log"
        environment = {**self.environment, "PRODGEN_READY_FILE": str(self.folder / f"{name}.ready")}
        service = Service(name, command, environment, log, lambda: True, stop_seconds=20.0)
        service.start()
        self._running.callback(service.stop)

    def _ready(self) -> bool:
        try:
            ready = all((self.folder / f"{name}.ready").exists() for name in WORKERS)
            return ready and httpx.get(f"{self.url}/readyz", timeout=60).is_success
        except httpx.HTTPError:
            return False
