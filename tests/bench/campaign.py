"""Many seeded faults under load: ``python -m tests.bench.campaign --faults 20 --seed 1 --minutes 4``.

Starts ``prodgen up`` in a new folder, keeps orders of three tenants coming, and kills, stops and cancels by a
schedule that the seed decides. At the end it waits, checks every order, and prints counts and a verdict. The
exit code is 1 if an image is lost, doubled or wrong, or if an order does not end.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from redis.exceptions import RedisError

from prodgen.client import Client
from prodgen.errors import ProdgenError
from tests.bench.checks import check_orders
from tests.servers.process import wait_until
from tests.servers.up import Up

TENANTS = ("anna", "boris", "chen")
SIZES = (1, 8, 64, 300, 1500, 4000)
ENDED = {"succeeded", "partial", "failed", "cancelled"}
OPEN_IMAGES = 6000
"""Images of one tenant that may be in progress before its next order waits."""
PATIENCE = 180.0
"""Seconds for which orders may take to end after the last fault."""


@dataclass
class Order:
    """An accepted order: its tenant, its id, what was asked for, and whether the campaign cancelled it."""

    tenant: str
    id: str
    spec: dict[str, Any]
    cancelled: bool = False
    view: dict[str, Any] = field(default_factory=dict)


class Campaign:
    """Orders that come from one thread for each tenant, and faults by name."""

    def __init__(self, up: Up, seed: int) -> None:
        self.up, self.random = up, random.Random(seed)
        self.orders: list[Order] = []
        self.ended = threading.Event()
        self.clients = {tenant: Client(up.url, _key(up, tenant)) for tenant in TENANTS}
        self.faults: dict[str, Callable[[], None]] = {
            "kill a worker": lambda: self._kill(self._worker()),
            "kill maintenance": lambda: self._kill("maintenance"),
            "kill the gateway": lambda: self._kill("gateway"),
            "kill the broker": lambda: self._kill("broker"),
            "wipe the broker": self._wipe,
            "stop a worker for some seconds": self._suspend,
            "make the store read-only for a second": self._read_only,
            "cancel an order": self._cancel,
        }

    def order(self, tenant: str, seed: int) -> None:
        """Keep orders of mixed sizes in progress until the campaign ends. Runs in a thread of the tenant."""
        chosen = random.Random(seed)
        while not self.ended.is_set():
            size = chosen.choice(SIZES)
            priority = "interactive" if size <= 64 and chosen.random() < 0.5 else "bulk"
            spec = {
                "model": "fashion-mnist",
                "count": size,
                "seed": chosen.randrange(1000),
                "priority": priority,
                "output": {"packaging": chosen.choice(("files", "tar"))},
            }
            if chosen.random() < 0.3:
                spec["finish"] = {"size": 64, "background": "#ffffff"}
            key = f"{tenant}-{chosen.random()}"
            while not self.ended.is_set():
                with suppress(ProdgenError):  # the gateway or the ledger is away: try again with the same key
                    made = self.clients[tenant].submit(spec, key)
                    self.orders.append(Order(tenant, made["id"], spec))
                    break
                self.ended.wait(0.5)
            while not self.ended.is_set() and self._images_in_progress(tenant) > OPEN_IMAGES:
                self.ended.wait(0.5)

    def wait(self) -> None:
        """Wait until each order has ended, at most for `PATIENCE`, and keep the last view of each."""
        deadline = time.monotonic() + PATIENCE
        for order in list(self.orders):
            while order.view.get("state") not in ENDED and time.monotonic() < deadline:
                self._look(order)
                time.sleep(0.05)

    def _look(self, order: Order) -> None:
        with suppress(ProdgenError):
            order.view = self.clients[order.tenant].job(order.id)

    def _images_in_progress(self, tenant: str) -> int:
        left = 0
        for order in [o for o in self.orders if o.tenant == tenant and o.view.get("state") not in ENDED]:
            self._look(order)
            if order.view.get("state") not in ENDED:
                left += order.spec["count"] - order.view.get("done", 0)
        return left

    def _worker(self) -> str:
        return f"worker-{self.random.randint(1, self.up.workers)}"

    def _kill(self, service: str) -> None:
        with suppress(ProcessLookupError, TypeError):  # it is dead already
            self.up.kill(service)

    def _wipe(self) -> None:
        with suppress(RedisError):  # it is dead
            self.up.ledger().client.flushall()

    def _suspend(self) -> None:
        pid, seconds = self.up.pids[self._worker()], self.random.uniform(1, 8)
        with suppress(ProcessLookupError, TypeError):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(pid, signal.SIGCONT)

    def _read_only(self) -> None:
        store = self.up.data_dir / "store"
        _remount(store, "ro")
        time.sleep(self.random.uniform(0.5, 2))
        _remount(store, "rw")

    def _cancel(self) -> None:
        running = [o for o in self.orders if o.view.get("state") not in ENDED and o.spec["count"] > 64]
        if running:
            order = self.random.choice(running)
            with suppress(ProdgenError):
                self.clients[order.tenant].cancel(order.id)
                order.cancelled = True


def main() -> None:
    """Run a campaign, and exit with 1 if it finds a defect."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=4.0)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with mounted(data / "store"), Up(data, workers=2) as up:
            campaign, made = Campaign(up, options.seed), Counter[str]()
            threads = [
                threading.Thread(target=campaign.order, args=(tenant, options.seed + k), daemon=True)
                for k, tenant in enumerate(TENANTS)
            ]
            for thread in threads:
                thread.start()
            begin, length = time.monotonic(), options.minutes * 60
            for at in sorted(campaign.random.uniform(5, length) for _ in range(options.faults)):
                time.sleep(max(0.0, begin + at - time.monotonic()))
                fault = campaign.random.choice(list(campaign.faults))
                print(f"{time.monotonic() - begin:6.1f} s  {fault}", flush=True)
                campaign.faults[fault]()
                made[fault] += 1
            campaign.ended.set()
            for thread in threads:
                thread.join()
            campaign.wait()
            print(
                f"{time.monotonic() - begin:6.1f} s  all orders have ended, or the patience has", flush=True
            )
            for fault, times in made.items():
                print(f"{times:8}  {fault}")
            sys.exit(0 if check_orders(up.store, campaign.orders) else 1)


@contextmanager
def mounted(store: Path) -> Iterator[None]:
    """Mount the store's folder on itself, so that the mount can be made read-only, for the superuser too."""
    store.mkdir(parents=True)
    subprocess.run(["mount", "--bind", store, store], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", store], check=True)


def _remount(store: Path, mode: str) -> None:
    """Remount read-only or writable. While a file is open for writing the first fails, and is tried again."""
    command = ("mount", "-o", f"remount,bind,{mode}", store)
    wait_until(lambda: subprocess.run(command, capture_output=True).returncode == 0, f"not {mode}")


def _key(up: Up, tenant: str) -> str:
    made = up.cli("keys", "create", "--tenant", tenant, "--scope", "generate", "--json")
    return str(json.loads(made.stdout)["key"])


if __name__ == "__main__":
    main()
