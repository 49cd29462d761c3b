"""A roster on a real Valkey server, and records of runs."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import redis

from prodgen.ledger.ledger import Ledger
from prodgen.ledger.roster import Roster
from prodgen.runs.record import RunRecord, TrainingSpec
from tests.ledger.conftest import client, ledger, memory, quick_valkey

__all__ = ["client", "ledger", "memory", "quick_valkey"]

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)

NewRun = Callable[..., RunRecord]


def new_run(
    run: str, nodes: int = 1, least: int | None = None, procs: int = 1, tenant: str = "ada", age: float = 0.0
) -> RunRecord:
    """Return a record as `submit_run` writes it, ``age`` seconds older than Monday."""
    return RunRecord(
        id=run,
        tenant=tenant,
        created=MONDAY - timedelta(seconds=age),
        spec=TrainingSpec(recipe="toy", data="toys", nodes=nodes, min_nodes=least, procs_per_node=procs),
        name="toy",
        recipe={"name": "toy"},
        data="toys@0123456789ab",
        source=None,
        steps=100,
        version="0",
        request_digest="0" * 64,
    )


@pytest.fixture
def roster(ledger: Ledger) -> Roster:
    """An open roster. Its leases last until a test ends them with ``fall_silent``."""
    return Roster(ledger)


@pytest.fixture
def fall_silent(client: redis.Redis) -> Callable[[str, str], None]:
    """Return a function that lets the deadline of a run's member pass."""

    def silent(run: str, node: str) -> None:
        client.hset(f"prodgen:run:{run}:members", node, 0)

    return silent
