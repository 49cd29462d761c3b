"""The deployment of a campaign: real processes on a local store or an S3 server, with proxies in between."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Literal, Self

import httpx
import redis
from redis.exceptions import RedisError

from prodgen.access import KeyRing
from prodgen.bundled import bundled_folders
from prodgen.client import Client
from prodgen.embedded.service import Service
from prodgen.ledger.ledger import Ledger
from prodgen.registry.publish import publish
from prodgen.storage.base import Store
from prodgen.storage.local import LocalStore
from prodgen.storage.s3 import S3Store
from tests.faults.campaign.power import Disk
from tests.servers.process import free_port, wait_until
from tests.servers.proxy import Proxy
from tests.servers.swift import S3Server
from tests.servers.up import SETTINGS, clean_environment, run_here
from tests.servers.valkey import ValkeyServer

Kind = Literal["local", "s3"]

MODELS = ("fashion-mnist", "studio-grabcut")
TENANTS = ("anna", "boris")
WORKERS = ("worker-1", "worker-2")
SECRET = "a-secret-of-the-campaign-and-no-others"
PATIENCE = 600.0
"""Seconds for which a process may take to start, and an order to end. A busy machine needs minutes."""
_CELERY = ("-m", "celery", "-A", "workers.app")
_LIAR = ("-m", "tests.faults.campaign.liar")


class World:
    """Two workers, a training node, maintenance, beat and a gateway, which start again when they die.

    All of them and Redis are watched by the `Disk`, so that the machine can lose its power. They reach Redis
    through ``to_redis``, and an S3 server through ``to_s3``.
    """

    def __init__(self, folder: Path, kind: Kind) -> None:
        self.folder, self.kind = folder, kind
        self.data, self.logs = folder / "data", folder / "logs"
        for path in (self.data / "store", self.logs):
            path.mkdir(parents=True)
        self.disk = Disk(self.data, folder / "journal")
        before = ("env", *(f"{name}={value}" for name, value in self.disk.environment().items()))
        self.redis = ValkeyServer(self.data / "redis", before=before)
        self.to_redis, self.port = Proxy(self.redis.port), free_port()
        self.s3 = S3Server(folder / "s3") if kind == "s3" else None
        self.to_s3 = Proxy(int(self.s3.endpoint.rpartition(":")[2])) if self.s3 else None
        self.url = f"http://127.0.0.1:{self.port}"
        self.services: dict[str, Service] = {}
        self._running, self._ended = ExitStack(), threading.Event()
        self._supervised = threading.RLock()

    def __enter__(self) -> Self:
        with self._running:
            if self.kind == "local":
                self._running.enter_context(_mounted(self.data / "store"))
            self._running.enter_context(self.to_redis)
            if self.s3 and self.to_s3:
                self._running.callback(self.s3.kill)
                self.s3.start()
                self._running.enter_context(self.to_s3)
            self._running.callback(self.redis.kill)
            self.redis.start()
            self._running.callback(self._stop_services)
            self.store.check()  # makes the folder or the bucket
            for model in bundled_folders():
                if model.name in MODELS:  # no others, since every start of a worker loads and times them
                    publish(self.store, model, model.name, None)
            self.keys = {t: KeyRing(self.store).create(t, ["generate", "train"])[0] for t in TENANTS}
            self.disk.settle()
            for name in ("gateway", "maintenance", "beat", "training", *WORKERS):
                self.services[name] = self._service(name)
                self.services[name].start()
            threading.Thread(target=self._supervise, daemon=True).start()
            self.wait_ready()
            self._running = self._running.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the processes."""
        store = {"PRODGEN_STORE_URL": f"file://{self.data / 'store'}"}
        if self.s3 and self.to_s3:
            store = {
                "PRODGEN_STORE_URL": "s3://campaign",
                "PRODGEN_S3_ENDPOINT": f"http://127.0.0.1:{self.to_s3.port}",
                "PRODGEN_S3_ACCESS_KEY": self.s3.access_key,
                "PRODGEN_S3_SECRET_KEY": self.s3.secret_key,
            }
        url = self.redis.url().replace(f":{self.redis.port}/", f":{self.to_redis.port}/")
        return {
            **clean_environment(),
            **SETTINGS,
            **store,
            "PRODGEN_SECRET_KEY": SECRET,
            "PRODGEN_REDIS_URL": url,
            "PRODGEN_PUBLIC_URL": self.url,
            "PRODGEN_URL": self.url,
            "PRODGEN_MODEL_CACHE": str(self.data / "models"),
            "PRODGEN_TRAINING_FOLDER": str(self.data / "training"),
        }

    @property
    def store(self) -> Store:
        """The store, without the proxy."""
        if self.s3:
            return S3Store("campaign", self.s3.endpoint, self.s3.access_key, self.s3.secret_key)
        return LocalStore(self.data / "store", SECRET, self.url)

    @property
    def ledger(self) -> Ledger:
        """The ledger, without the proxy."""
        return Ledger(redis.Redis.from_url(self.redis.url()), lease_seconds=3.0)

    def client(self, tenant: str) -> Client:
        """Return a client of a tenant."""
        return Client(self.url, self.keys[tenant])

    def cli(self, tenant: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
        """Run a command as a tenant, in this process."""
        environment = {**self.environment, "PRODGEN_API_KEY": self.keys[tenant]}
        return run_here(*arguments, environment=environment)

    def kill(self, name: str) -> None:
        """``kill -9`` a process, with what it has started."""
        if pid := self.services[name].pid:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    def freeze(self, name: str, stopped: bool) -> None:
        """Stop a process, or let it continue."""
        if pid := self.services[name].pid:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGSTOP if stopped else signal.SIGCONT)

    @contextmanager
    def changed(self, name: str, *, skew: int = 0, liar: bool = False) -> Iterator[None]:
        """Run a process with a wrong clock, or as a liar, for the block."""
        try:
            self._replace(name, self._service(name, skew, liar))
            yield
        finally:
            self._replace(name, self._service(name))

    @contextmanager
    def down(self) -> Iterator[None]:
        """Kill everything but the S3 server, and start it again after the block."""
        with self._supervised:
            for name in self.services:
                self.kill(name)
            self.redis.kill()
            for service in self.services.values():
                if service.process:
                    service.process.wait()
            try:
                yield
            finally:
                self.redis.start()
                for service in self.services.values():
                    service.start()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until the gateway takes orders and every process is there."""
        wait_until(self._is_ready, f"the deployment is not ready; see {self.logs}", PATIENCE)

    def _is_ready(self) -> bool:
        with suppress(httpx.HTTPError, RedisError):
            flags = all((self.folder / f"{name}.ready").exists() for name in (*WORKERS, "maintenance"))
            return flags and httpx.get(f"{self.url}/readyz", timeout=60).is_success
        return False

    def _service(self, name: str, skew: int = 0, liar: bool = False) -> Service:
        ready = self.folder / f"{name}.ready"
        environment = {
            **self.environment,
            **self.disk.environment(skew),
            "PRODGEN_READY_FILE": str(ready),
            "PRODGEN_MACHINE": name,
            "OMP_NUM_THREADS": "1",
        }
        words = _command(name, self.port, self.folder)
        command = (sys.executable, *(_LIAR if liar else words[:2]), *words[2:])
        return Service(name, command, environment, self.logs / f"{name}.log", ready.exists, 20.0)

    def _replace(self, name: str, service: Service) -> None:
        with self._supervised:
            self.kill(name)
            if old := self.services[name].process:
                old.wait()
            (self.folder / f"{name}.ready").unlink(missing_ok=True)
            self.services[name] = service
            service.start()
        self.wait_ready()

    def _supervise(self) -> None:
        while not self._ended.wait(0.2):
            with self._supervised:
                for service in self.services.values():
                    if not self._ended.is_set() and service.is_due():
                        service._deaths = 0
                        service.start()

    def _stop_services(self) -> None:
        self._ended.set()
        with self._supervised:
            for name, service in self.services.items():
                self.freeze(name, stopped=False)
                self.kill(name)
                if service.process:
                    service.process.wait()


def _command(name: str, port: int, folder: Path) -> Sequence[str]:
    if name == "gateway":
        return ("-m", "api_gateway", "--port", str(port))
    if name == "beat":
        return (*_CELERY, "beat", "--schedule", str(folder / "data" / "beat"), "--pidfile", "")
    if name == "training":
        return (*_CELERY, "worker", "-Q", "training", "--pool", "prefork", "-c", "1", "-n", "training@%h")
    queues = "maintenance" if name == "maintenance" else "interactive,bulk"
    return (*_CELERY, "worker", "-Q", queues, "--pool", "threads", "-c", "8", "-n", f"{name}@%h")


@contextmanager
def _mounted(store: Path) -> Iterator[None]:
    """Mount the store's folder on itself, so that the mount can be made read-only, for the superuser too."""
    subprocess.run(["mount", "--bind", store, store], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", store], check=True)
