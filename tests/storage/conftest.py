"""The stores under test."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from prodgen.storage.base import Store
from prodgen.storage.local import LocalStore
from prodgen.storage.s3 import S3Store
from tests.servers.swift import S3Server


@pytest.fixture
def local_store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store", "a-signing-secret", "https://images.example")


@pytest.fixture(scope="session")
def s3_store(s3_server: S3Server) -> S3Store:
    return S3Store("contract", s3_server.endpoint, s3_server.access_key, s3_server.secret_key)


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each kind of store, in turn."""
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found


@pytest.fixture
def folder() -> str:
    """A prefix of the test's own, because tests share the S3 server's bucket."""
    return f"tenants/{uuid.uuid4().hex}/"


USES: list[Callable[[Store], object]] = [
    lambda store: store.put("a", b"x"),
    lambda store: store.put_file("a", Path(__file__)),
    lambda store: store.get("a"),
    lambda store: store.stat("a"),
    lambda store: [*store.list("")],
    lambda store: store.delete(["a"]),
    lambda store: store.check(),
]


def s3_store_of(server: S3Server, **changes: object) -> S3Store:
    """Return the store of the contract tests with some of its settings changed."""
    settings = {
        "bucket": "contract",
        "endpoint": server.endpoint,
        "access_key": server.access_key,
        "secret_key": server.secret_key,
    }
    return S3Store(**{**settings, **changes})  # type: ignore[arg-type]
