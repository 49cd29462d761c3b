"""Deterministic simulation of a deployment: ``python -m tests.faults.simulation --seed 1 --rounds 1000``.

Each schedule runs gateways, workers and maintenance, the project's own code, on one virtual clock. The
scripts of the ledger run in an interpreter, and the store is in memory. Redis and the store lose, delay and
repeat calls, processes are killed and stopped, clocks disagree, and Redis is wiped. Then all faults end, and
every order must end well. The seed of a schedule reproduces it.
"""

import argparse
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from redis.exceptions import RedisError

from prodgen.errors import Unavailable
from prodgen.jobs.ending import settle_jobs
from prodgen.jobs.record import load_state
from prodgen.ledger.roster import Roster
from prodgen.registry.publish import publish
from prodgen.registry.versions import load_config, resolve
from prodgen.settings import Settings
from tests.faults.checks import Fairness, WatchedLedger, assert_clean, assert_ended
from tests.faults.interpreter import Interpreter
from tests.faults.orders import Order, random_order, serve
from tests.faults.patches import Doorbell, virtual
from tests.faults.world import Commands, Odds, Process, Redis, Store, World
from tests.ledger.memory import MemoryStore
from tests.sample_models import write_model
from workers import maintain
from workers.generate import tasks
from workers.generate.device import Device

TROUBLE = 60.0
"""Seconds during which there are faults."""
PATIENCE = 400.0
"""Seconds after the last fault within which every order of every tenant must end."""


class Simulation:
    """One deployment after another, each with the schedule of a seed."""

    NAMES = ("gateway-1", "gateway-2", "worker-1", "worker-2", "worker-3", "maintenance-1", "maintenance-2")

    def __init__(self, server: Commands) -> None:
        self.server = server
        self._ledgers = {name: WatchedLedger(Redis(self.server)) for name in self.NAMES}
        store = MemoryStore()
        with TemporaryDirectory() as folder:
            publish(store, write_model(Path(folder) / "model"), "model", None)
        self._models = store.objects
        self.world = World(0)
        self.world.objects.update(self._models)
        load_config(
            self._view(), resolve(self._view(), "model", "ada").prefix
        )  # into the caches of processes
        self._settings = Settings(max_interactive_orders=100, audit_share=0.0)
        self.seen: Counter[str] = Counter()

    def run(self, seed: int) -> str:
        """Run the schedule of a seed, and return a digest of all its calls. Raises AssertionError."""
        world = self.world = World(seed)
        self.server.send(0, "FLUSHDB")
        world.objects.update(self._models)
        world.poison, world.fairness = {}, Fairness()
        self.machines: dict[str, Process] = {}
        self._orders = [random_order(world, number) for number in range(world.random.randint(2, 6))]
        self._skews = {name: world.random.choice((0.0, 0.0, -200.0, 200.0)) for name in self.NAMES}
        with virtual():
            try:
                for name in self.NAMES:
                    self._start(name)
                self._trouble()
                self._calm()
            except Exception as error:
                error.add_note(f"seed {seed}")
                raise
            finally:
                world.end(self.machines.values())
        return world.digest

    # The processes

    def _start(self, name: str) -> None:
        process = self.machines[name] = Process(self.world, name, self._skews[name], self._ledgers[name])
        settings = self._settings.model_copy(update={"machine": name})
        process.here = SimpleNamespace(
            settings=settings, store=process.store, ledger=process.ledger, roster=Roster(process.ledger)
        )
        role = {"gateway": self._gateway, "worker": self._worker, "maintenance": self._maintenance}
        process.spawn(lambda: role[name.partition("-")[0]](process))

    def _worker(self, process: Process) -> None:
        process.device = Device(process.here, lambda seconds: process.world.kill(process))
        for queues in (("bulk",), ("bulk", "interactive"), ("interactive",)):
            process.spawn(lambda queues=queues: self._answer(process, queues))

    def _answer(self, process: Process, queues: tuple[Any, ...]) -> None:
        while True:
            queue: Any = process.world.hear(*queues)
            try:
                tasks._answer(Doorbell(), queue, tasks._make_lease)  # type: ignore[arg-type]
            except RuntimeError:  # a lease whose images cannot be made, as Celery logs it
                self.seen["failed leases"] += 1

    def _maintenance(self, process: Process) -> None:
        process.spawn(lambda: self._settle(process))
        while True:
            process.world.wait(process.world.random.uniform(4, 12))
            try:
                for line in maintain._tick(process.here):  # type: ignore[arg-type]
                    self.seen[line.lstrip("0123456789 ")] += 1
            except (Unavailable, RedisError):
                self.seen["ticks that failed"] += 1

    def _settle(self, process: Process) -> None:
        while process.world.hear("maintenance"):
            try:
                settle_jobs(process.store, process.ledger)
            except Unavailable:
                self.seen["settles that failed"] += 1

    def _gateway(self, process: Process) -> None:
        for order in self._orders[int(process.name[-1]) - 1 :: 2]:
            process.spawn(lambda order=order: serve(process, order))

    # The schedule

    def _trouble(self) -> None:
        """Run all with faults for a while."""
        world, pick = self.world, self.world.random
        rates = ((0.0, 0.01, 0.05),) * 3 + ((0.0, 0.01),) + ((0.0, 0.002, 0.01),) * 2
        world.redis, world.storage = (
            Odds(*(pick.choice(rate) for rate in rates), seconds=seconds) for seconds in (0.003, 0.02)
        )
        end = world.now + TROUBLE
        faults: list[Callable[[], None]] = [lambda: None, self._kill, self._stop, self._wipe, self._restart]
        faults = pick.choices(faults, k=4)
        while world.now < end:
            world.run(lambda: False, pick.uniform(1, 15))
            pick.choice(faults)()
            self._supervise()

    def _kill(self) -> None:
        self.seen["kills"] += 1
        self.world.end([self.world.random.choice([*self.machines.values()])])

    def _stop(self) -> None:
        self.seen["stops"] += 1
        pick = self.world.random
        pick.choice([*self.machines.values()]).stopped = self.world.now + pick.uniform(5, 60)

    def _wipe(self) -> None:
        self.seen["wipes"] += 1
        self.server.send(0, "FLUSHDB")
        self._restart()

    def _restart(self) -> None:
        """Redis restarts: it has lost what was on its way."""
        self.world.run_id += "'"
        self.world.bells = dict.fromkeys(self.world.bells, 0)

    def _supervise(self) -> None:
        """Start killed processes again."""
        for name, process in self.machines.items():
            if not process.alive:
                self._start(name)

    def _calm(self) -> None:
        """Let all faults end. Every order must end, and nothing be left over."""
        world = self.world
        world.redis = world.storage = Odds()

        def ended() -> bool:
            self._supervise()
            return all(order.record and not order.actions and self._ended(order) for order in self._orders)

        assert world.run(ended, PATIENCE), "an order has not ended"
        stopped = max(process.stopped for process in self.machines.values())
        world.run(
            lambda: False, max(0.0, stopped - world.now) + 40.0
        )  # late leases end, and maintenance looks
        for order in self._orders:
            self.seen[assert_ended(world, self._view(), order.record)] += 1
        assert_clean(self._ledgers["gateway-1"])

    def _ended(self, order: Order) -> bool:
        """Whether the order has ended in the store."""
        assert order.record
        return load_state(self._view(), order.record) is not None

    def _view(self) -> Store:
        """The store, as a check reads it."""
        return Store(Process(self.world, "check"))


def run_all(seeds: Sequence[int]) -> Counter[str]:
    """Run schedules. Returns what they saw."""
    logging.disable()
    simulation = Simulation(Interpreter())
    for seed in seeds:
        simulation.run(seed)
    return simulation.seen


def main() -> int:
    """Run schedules, and print what they saw. The error of one that fails is raised, with its seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    seeds, start = range(options.seed, options.seed + options.rounds), time.monotonic()
    with ProcessPoolExecutor(options.processes) as pool:
        parts = [seeds[first :: options.processes] for first in range(options.processes)]
        seen = sum(pool.map(run_all, parts), Counter[str]())
    minutes = (time.monotonic() - start) / 60
    for what, times in sorted(seen.items()):
        print(f"{times:9,} {what}")
    print(f"{options.rounds:9,} schedules ended well, {options.rounds / minutes:,.0f} a minute")
    return 0


if __name__ == "__main__":
    sys.exit(main())
