"""Checks after each fault: each image is there once and right, counts agree, nothing is left over."""

import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from tenacity import Retrying, stop_after_delay, wait_fixed

from prodgen.audit import changed_since, check_sample
from prodgen.bundled import bundled_folders
from prodgen.generation.engine import Engine
from prodgen.jobs.audits import choose_sample
from prodgen.jobs.manifests import published_whole
from prodgen.jobs.record import load_record, load_state
from prodgen.jobs.usage import read_usage
from prodgen.models import load_model
from prodgen.registry.versions import resolve
from tests.faults.campaign.orders import STEPS, Customer, Order
from tests.faults.campaign.world import TENANTS, World
from tests.faults.checks import assert_clean
from tests.faults.whole import assert_once, export, manifest, verified

SAMPLE = 40
"""The images of an order that are made again."""
RESTARTS = 3
"""The attempts without a new checkpoint after which a run fails."""
SETTLED = 60.0
"""Seconds in which leases and keys of ended orders must go."""


class Invariants:
    """Checks the orders of a world, with an engine that makes images again."""

    def __init__(self, world: World, customer: Customer) -> None:
        self.world, self.customer = world, customer
        self.checked = Counter[str]()
        self.engine = Engine()
        self._models: dict[str, Any] = {}

    def broken(self, orders: list[Order], settled: bool) -> list[str]:
        """Check orders that have ended and, if all have, what is left over and all usage.

        Returns a sentence for each defect.
        """
        found = []
        checks = {"images": self._images, "photographs": self._photographs, "run": self._run}
        for order in orders:
            try:
                checks[order.kind](order)
            except Exception as error:
                found.append(f"order {order.id} ({order.kind}): {type(error).__name__}: {str(error)[:400]}")
        for check in (self._usage, self._clean) if settled else ():
            try:
                Retrying(stop=stop_after_delay(SETTLED), wait=wait_fixed(0.5), reraise=True)(check)
            except Exception as error:
                found.append(f"{check.__name__[1:]}: {type(error).__name__}: {str(error)[:400]}")
        return found

    def _images(self, order: Order) -> None:
        store = self.world.store
        self._ended(order)
        record = load_record(store, order.tenant, order.id)
        state, manifests = load_state(store, record), published_whole(store, record)
        assert state
        assert (changed := changed_since(store, state, manifests)) is None, changed
        sample = [] if order.unaudited else choose_sample(manifests, SAMPLE, order.id)
        version = resolve(store, record.model, record.tenant)
        if version.id not in self._models:
            folder = next(f for f in bundled_folders() if f.name == version.name)
            self._models[version.id] = load_model(folder, version.name, self.engine.device)
        model = self._models[version.id]
        for fault in check_sample(store, record, model, self.engine, sample):
            assert fault is None, fault
        self.checked["images made again"] += len(sample)

    def _photographs(self, order: Order) -> None:
        files = self._ended(order)
        folder = self.customer.folder / f"verify-{order.id}"
        lines = manifest(self.world.store, order.id, order.tenant)[::4]
        export(lines, files, folder)
        assert verified(folder, "--photos", self.customer.photographs)
        self.checked["pictures made again"] += len(lines)

    def _run(self, order: Order) -> None:
        """Check the end of a run, which may fail if three attempts in a row lost their node (`runs.lua`)."""
        view = order.view
        lost = str(view["error"]).endswith("was lost")
        if view["state"] == "failed" and view["restarts"] >= RESTARTS and lost:
            self.checked["runs given up after three lost nodes"] += 1
            return
        assert order.view["state"] == "succeeded", order.view
        assert order.view["step"] == STEPS, order.view
        self.checked["runs"] += 1

    def _ended(self, order: Order) -> dict[str, bytes]:
        """Check the state, the counts and the objects of an order. Returns its files."""
        view, total = order.view, order.total
        allowed = ("cancelled", "succeeded") if order.cancelled else ("succeeded",)
        assert view["state"] in allowed, view
        whole = view["state"] == "succeeded"
        files = assert_once(self.world.store, order.id, total if whole else None, order.tenant)
        assert (len(files), view["failed"]) == (view["done"], 0), view
        self.checked["orders"] += 1
        self.checked["images"] += len(files)
        return files

    def _usage(self) -> None:
        """The usage is what all orders of the world have delivered."""
        today = datetime.now(UTC).date()
        for tenant in TENANTS:
            rows = read_usage(self.world.store, tenant, today - timedelta(1), today + timedelta(1))
            mine = [o for o in self.customer.orders if o.tenant == tenant and o.kind != "run"]
            made = [order.view["done"] for order in mine if order.view["done"]]  # none if cancelled at once
            wanted = (sum(made), len(made))
            assert (sum(row.images for row in rows), sum(row.orders for row in rows)) == wanted, (
                rows,
                wanted,
            )

    def _clean(self) -> None:
        assert_clean(self.world.ledger)
        unfinished = self.world.data / "store" / ".unfinished"
        for path in unfinished.iterdir() if unfinished.is_dir() else ():
            with suppress(FileNotFoundError):  # maintenance runs, and moves or removes its files
                if time.time() - path.stat().st_mtime > 60:
                    path.unlink()
                    self.checked["unfinished files of killed processes"] += 1
