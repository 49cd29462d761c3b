"""A gateway on a real port, a real ledger and a local store. Each test has a tenant of its own."""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from prodgen.registry.publish import publish
from prodgen.settings import Settings
from prodgen.storage.local import LocalStore
from tests.gateway.running import Client, Gateway
from tests.sample_models import write_model
from tests.servers.process import free_port

if TYPE_CHECKING:
    from tests.servers.valkey import ValkeyServer

DATABASE = 8
"""The database of the shared server."""

_tenants = itertools.count(1)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory, valkey_server: "ValkeyServer") -> Settings:
    valkey_server.client(DATABASE).flushdb()
    return Settings(
        store_url=f"file://{tmp_path_factory.mktemp('store')}",
        redis_url=valkey_server.url(DATABASE),
        public_url=f"http://127.0.0.1:{free_port()}",
        max_images_per_job=100_000,
    )


@pytest.fixture(scope="session")
def gateway(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(settings).running() as gateway:
        publish(gateway.store, write_model(tmp_path_factory.mktemp("model") / "shoes"), "shoes", None)
        yield gateway


@pytest.fixture
def store(gateway: Gateway) -> LocalStore:
    return gateway.store


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    """Return a client with a key that may order images."""
    with gateway.client(f"tenant-{next(_tenants)}") as client:
        yield client


@pytest.fixture(scope="session")
def anyone() -> Iterator[httpx.Client]:
    """Return a client without a key."""
    with httpx.Client(timeout=60) as client:
        yield client


@pytest.fixture
def stranger(gateway: Gateway) -> Iterator[Client]:
    """Return a client of another tenant."""
    with gateway.client(f"tenant-{next(_tenants)}") as client:
        yield client
