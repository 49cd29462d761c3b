import hashlib
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from prodgen.datasets.push import StoreTarget, push
from prodgen.datasets.summary import summarise
from prodgen.datasets.versions import Dataset, resolve_dataset
from prodgen.storage.base import Store
from prodgen.storage.local import LocalStore
from prodgen.storage.s3 import S3Store
from tests.servers.swift import S3Server

Push = Callable[..., Dataset]


def sha256(data: bytes) -> str:
    """Return the digest by which the store names an upload."""
    return hashlib.sha256(data).hexdigest()


def quiet(*_: object) -> None:
    """Ignore progress."""


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Each kind of store in turn."""
    if request.param == "local":
        return LocalStore(tmp_path / "store", "secret", "http://gateway.test")
    server: S3Server = request.getfixturevalue("s3_server")
    return S3Store("datasets", server.endpoint, server.access_key, server.secret_key)


@pytest.fixture
def local_store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store", "secret", "http://gateway.test")


@pytest.fixture
def tenant() -> str:
    """A tenant of the test's own, because tests share the S3 server."""
    return f"tenant-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def put(tenant: str) -> Push:
    """Return a function that pushes a folder to a store: ``put(store, folder, name)``."""

    def put(store: Store, folder: Path, name: str = "shop") -> Dataset:
        pushed = push(StoreTarget(store, tenant), folder, name, summarise(folder, quiet), quiet)
        return resolve_dataset(store, tenant, pushed.dataset["id"])

    return put
