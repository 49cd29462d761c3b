"""The orders of a round: generated images, photographs in colours, or a training run."""

import json
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from prodgen.bundled import bundled_photographs
from prodgen.client import Client
from prodgen.errors import ProdgenError, Unavailable
from tests.faults.campaign.world import PATIENCE, TENANTS, World
from tests.faults.test_training import RECIPE
from tests.toys import write_catalogue

SIZES = (1, 8, 64, 300, 1200)
ENDED = {"succeeded", "partial", "failed", "cancelled"}
PHOTOGRAPHS = ("polo.jpg", "shorts.jpg")
STEPS = 60
"""Steps of a run, which writes three checkpoints."""


@dataclass
class Order:
    """An accepted order: its tenant, its id, what it is of, and its last view.

    ``unaudited``: it was cancelled while a worker lied. No audit takes images of a cancelled order back.
    """

    tenant: str
    id: str
    kind: str
    total: int = 0
    cancelled: bool = False
    unaudited: bool = False
    view: dict[str, Any] = field(default_factory=dict)

    def look(self, client: Client) -> bool:
        """Take a new view if the gateway answers. Returns whether the order has ended."""
        if self.view.get("state") not in ENDED:
            with suppress(ProdgenError):
                self.view = client.run(self.id) if self.kind == "run" else client.job(self.id)
        return self.view.get("state") in ENDED


class Customer:
    """Places orders and follows them, as a client that repeats what was not answered."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        self.clients = {tenant: world.client(tenant) for tenant in TENANTS}
        self.orders: list[Order] = []
        photographs = folder / "photographs"
        photographs.mkdir(parents=True)
        for path in bundled_photographs():
            if path.name in PHOTOGRAPHS:
                (photographs / path.name).write_bytes(path.read_bytes())
        rows = [f"{name[0]},{name},original|crimson|navy|gold,white|studio" for name in PHOTOGRAPHS]
        (photographs / "order.csv").write_text("\n".join(("sku,photo,colour,scene", *rows)))
        self.photographs = photographs
        self._toys: set[str] = set()

    def order(self, chance: Random, kind: str, count: int = 0) -> Order:
        """Place an order until it is accepted. ``count``: of how many images, if not by chance."""
        tenant, key = chance.choice(TENANTS), uuid.UUID(int=chance.getrandbits(128)).hex
        if kind == "images":
            made = self.repeat(lambda: self._images(tenant, Random(key), key, count))
        else:
            place = self._run if kind == "run" else self._pictures
            made = self.repeat(lambda: place(tenant, Random(key), key))
        order = Order(tenant, made["id"], kind, made.get("total", 0))
        self.orders.append(order)
        return order

    def repeat(self, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Repeat a call until it is answered."""
        patiently = Retrying(
            stop=stop_after_delay(PATIENCE),
            wait=wait_fixed(0.5),
            retry=retry_if_exception_type(ProdgenError),
            reraise=True,
        )
        return patiently(call)

    def _images(self, tenant: str, chance: Random, key: str, count: int) -> dict[str, Any]:
        count = count or chance.choice(SIZES[:-1] if self.world.kind == "s3" else SIZES)
        spec: dict[str, Any] = {
            "model": "fashion-mnist",
            "count": count,
            "seed": chance.randrange(1000),
            "priority": "interactive" if count <= 64 and chance.random() < 0.5 else "bulk",
            "output": {"packaging": chance.choice(("files", "tar"))},
        }
        if count <= 64:
            spec["finish"] = {"size": 64, "background": "#ffffff"}
        return self.clients[tenant].submit(spec, key)

    def _pictures(self, tenant: str, chance: Random, key: str) -> dict[str, Any]:
        table, photos = self.photographs / "order.csv", self.photographs
        words = ("submit", table, "--model", "studio-grabcut", "--photos", photos, "--size", 64, "--key", key)
        done = self.world.cli(tenant, *words, "--json")
        if done.returncode:
            raise Unavailable(done.stderr)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def _run(self, tenant: str, chance: Random, key: str) -> dict[str, Any]:
        if tenant not in self._toys:
            folder = self.folder / "toys"
            if not folder.exists():
                write_catalogue(folder, count=100, size=16)
            done = self.world.cli(tenant, "data", "push", folder)
            if done.returncode:
                raise Unavailable(done.stderr)
            self._toys.add(tenant)
        recipe = {**RECIPE, "steps": STEPS, "evaluate_every": STEPS, "sample_every": STEPS}
        return self.clients[tenant].train({"recipe": recipe, "data": "toys"}, key)

    def follow(self) -> list[Order]:
        """Wait until every order has ended. Returns those that have not in time."""
        deadline = time.monotonic() + PATIENCE
        waiting = list(self.orders)
        while waiting and time.monotonic() < deadline:
            waiting = [order for order in waiting if not order.look(self.clients[order.tenant])]
            time.sleep(0.1)
        return waiting
