"""Schedules of faults on a virtual clock: no order is lost, none counted twice, and none waits for ever."""

import inspect
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from prodgen.errors import NotFound
from prodgen.jobs import ending
from tests.faults.interpreter import Interpreter
from tests.faults.server import Server
from tests.faults.simulation import Simulation
from tests.servers.valkey import quick_server

SCHEDULES = 25
"""Schedules within which a planted bug must be found."""


def test_every_order_of_a_schedule_ends_well_and_its_seed_reproduces_it() -> None:
    simulation = Simulation(Interpreter())
    digests = [simulation.run(seed) for seed in range(1, 5)]
    assert len(set(digests)) == 4
    assert Simulation(Interpreter()).run(3) == digests[2]
    assert simulation.seen["the ledger was rebuilt"]


def test_a_real_redis_answers_as_the_interpreter(tmp_path: Path) -> None:
    with quick_server(tmp_path / "node") as server:
        assert Simulation(Server(server.url())).run(2) == Simulation(Interpreter()).run(2)


def in_script(old: str, new: str) -> AbstractContextManager[object]:
    """Plant a bug in a script of the ledger."""
    load, planted = Interpreter.load, list[str]()

    def plant(server: Interpreter, script: str) -> str:
        planted.extend([script] * (old in script))
        return load(server, script.replace(old, new))

    return patch.object(Interpreter, "load", plant)


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
    plant: Callable[[], AbstractContextManager[object]], seed: int, found: str | None
) -> None:
    with plant():
        simulation = Simulation(Interpreter())
        with pytest.raises((AssertionError, NotFound), match=found):
            deque(map(simulation.run, range(seed, seed + SCHEDULES)))
