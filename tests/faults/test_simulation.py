"""Schedules of faults on a virtual clock: no order is lost, none counted twice, and none waits for ever."""

import inspect
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import pytest

from prodgen.errors import NotFound
from prodgen.jobs import ending
from tests.faults.simulation import Simulation
from tests.faults.world import Server
from tests.servers.valkey import ValkeyServer, quick_server

SCHEDULES = 25
"""Schedules within which a planted bug must be found."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with quick_server(tmp_path_factory.mktemp("simulation") / "node") as server:
        yield server


def test_every_order_of_a_schedule_ends_well_and_its_seed_reproduces_it(server: ValkeyServer) -> None:
    simulation = Simulation(server.url())
    digests = [simulation.run(seed) for seed in range(1, 5)]
    assert len(set(digests)) == 4
    assert Simulation(server.url()).run(3) == digests[2]
    assert simulation.seen["the ledger was rebuilt"]


def in_script(old: str, new: str) -> AbstractContextManager[object]:
    """Plant a bug in a script of the ledger."""
    load, planted = Server.load, list[str]()

    def plant(server: Server, script: str) -> str:
        planted.extend([script] * (old in script))
        return load(server, script.replace(old, new))

    return patch.object(Server, "load", plant)


def in_function(module: Any, name: str, old: str, new: str) -> AbstractContextManager[object]:
    """Plant a bug in a function."""
    source, names = inspect.getsource(getattr(module, name)), dict[str, Any]()
    assert old in source, "the code has changed; plant another bug"
    exec(source.replace(old, new), vars(module), names)
    return patch.object(module, name, names[name])


@pytest.mark.parametrize(
    ("plant", "seed", "found"),
    [
        pytest.param(
            lambda: in_script("if job then blame(", "if job and lease.alone == 1 then blame("),
            1,
            "has not ended",
            id="the cells of a lost worker are forgotten",
        ),
        pytest.param(
            lambda: in_script("'ZINCRBY', line, amount,", "'ZINCRBY', line, 0,"),
            9,
            "waits too long",
            id="one tenant is always served first",
        ),
        pytest.param(
            lambda: in_script(
                "if not job then return 0 end\n\nmark(", "if not job then return 1 end\n\nmark("
            ),
            5,
            None,
            id="a lease that was lost counts",
        ),
        pytest.param(
            lambda: in_function(ending, "settle_job", "sweep(store, record, state)", "pass"),
            1,
            None,
            id="images of lost leases stay",
        ),
    ],
)
def test_a_planted_bug_is_found(
    server: ValkeyServer, plant: Callable[[], AbstractContextManager[object]], seed: int, found: str | None
) -> None:
    with plant():
        simulation = Simulation(server.url())
        with pytest.raises((AssertionError, NotFound), match=found):
            deque(map(simulation.run, range(seed, seed + SCHEDULES)))
