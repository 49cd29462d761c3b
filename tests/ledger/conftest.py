"""A ledger on a real server, and a store in memory."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
import redis

from prodgen.ledger.ledger import Ledger
from prodgen.recovery import ensure
from tests.ledger.memory import MemoryStore

if TYPE_CHECKING:
    from tests.servers.valkey import ValkeyServer

DATABASE = 9
"""Of the shared server; emptied before each test."""


@pytest.fixture(scope="session")
def quick_valkey(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[ValkeyServer]":
    """A server that writes nothing to the disk, for tests that do not kill it."""
    from tests.servers.valkey import quick_server

    with quick_server(tmp_path_factory.mktemp("quick") / "node") as server:
        yield server


@pytest.fixture
def client(quick_valkey: "ValkeyServer") -> redis.Redis:
    client = quick_valkey.client(DATABASE)
    client.flushdb()
    return client


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def ledger(client: redis.Redis, memory: MemoryStore) -> Ledger:
    """An open ledger whose leases last until a test lets them run out."""
    ledger = Ledger(client, lease_seconds=3600)
    assert ensure(memory, ledger)
    return ledger


@pytest.fixture
def run_out(client: redis.Redis) -> Callable[..., None]:
    """Let the deadlines of leases pass: of those named, or of all."""

    def pass_by(*tokens: str) -> None:
        for token in tokens or client.zrange("prodgen:leases", 0, -1):
            client.zadd("prodgen:leases", {token: 0}, xx=True)

    return pass_by
