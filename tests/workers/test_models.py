"""A worker keeps models in memory while there is room, and has new ones ready before they are ordered."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prodgen.errors import Unavailable
from prodgen.generation.engine import Engine
from prodgen.registry.aliases import rollback, set_alias
from prodgen.registry.publish import publish
from prodgen.registry.versions import Version
from prodgen.storage.local import LocalStore
from tests.toys import toy_folder
from workers.generate import models
from workers.generate.models import ModelCache, Name


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine("cpu") as engine:
        yield engine


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store", "secret", "http://gateway.test")


@pytest.fixture
def toys(store: LocalStore, tmp_path: Path) -> list[Version]:
    """Three versions of a toy of acme's; the first is in production."""
    found = [
        publish(store, toy_folder(tmp_path / f"{n}", seed=n), "toy", "acme", ["production"] * (n == 0))
        for n in range(3)
    ]
    assert len({version.id for version in found}) == 3
    return found


class Worker:
    """The models of a device; ``busy`` are those that leases hold."""

    def __init__(self, store: LocalStore, engine: Engine, folder: Path, budget: int = 1 << 30) -> None:
        self.busy = set[str]()
        self.models = ModelCache(store, engine, folder / "cache", budget, lambda: self.busy)
        self.model, self.look = self.models.load, self.models.load_promoted

    def refs(self) -> list[str]:
        """What is in memory, oldest first."""
        return [loaded.version.id for loaded in self.models.recent(9)][::-1]


def test_memory_is_what_decides(
    store: LocalStore, engine: Engine, toys: list[Version], tmp_path: Path
) -> None:
    first, second, third = (version.id for version in toys)
    size = Worker(store, engine, tmp_path).model(first, "acme").generator.size_in_bytes()
    assert size > 1000
    worker = Worker(store, engine, tmp_path, budget=2 * size)
    for ref in (first, second, first, third):
        worker.model(ref, "acme")
    assert worker.refs() == [first, third], "the least recently used went"

    worker.busy = {first, third}
    worker.model(second, "acme")
    assert worker.refs() == [first, third, second], "what is being worked with stays, whatever it takes"
    worker.busy = set()
    small = Worker(store, engine, tmp_path, budget=1)
    for ref in (first, second):
        assert small.model(ref, "acme").id == ref
    assert small.refs() == [second], "one has to be there"


def test_what_is_promoted_is_soon_warm(
    store: LocalStore, engine: Engine, toys: list[Version], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "bundled_folders", lambda: [SimpleNamespace(name="shared-toy")])
    first, second, _ = toys
    worker, known = Worker(store, engine, tmp_path), dict[Name, str]()
    worker.look(known)
    assert worker.refs() == [], "nobody has ordered of it here"

    worker.model(first.id, "acme")
    worker.look(known)
    set_alias(store, "toy", "production", second.version, "acme")
    worker.look(known)
    assert worker.refs() == [first.id, second.id]

    shared = publish(store, toy_folder(tmp_path / "shared", seed=7), "shared-toy", None)
    worker.look(known)
    assert worker.refs() == [first.id, second.id, shared.id]

    worker.models._loaded.pop(first.id)
    worker.look(known)
    assert first.id not in worker.refs(), "what is no longer in production is not loaded again"
    rollback(store, "toy", "production", "acme", by=None)
    worker.look(known)
    assert worker.refs()[-1] == first.id


def test_a_worker_reads_one_object_while_no_alias_changes(
    store: LocalStore, engine: Engine, toys: list[Version], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "bundled_folders", lambda: [SimpleNamespace(name=f"m{n}") for n in range(9)])
    worker, known, read = Worker(store, engine, tmp_path), dict[Name, str](), list[str]()
    worker.model(toys[0].id, "acme")
    worker.look(known)
    get = store.get
    monkeypatch.setattr(store, "get", lambda key, *rest: read.append(key) or get(key, *rest))
    worker.look(known)
    assert len(read) == 1
    set_alias(store, "toy", "production", toys[1].version, "acme")
    worker.look(known)
    assert worker.refs() == [toys[0].id, toys[1].id]


def test_a_broken_version_in_production_is_tried_once(
    store: LocalStore, engine: Engine, toys: list[Version], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "bundled_folders", list)
    first, second, third = toys
    worker, known = Worker(store, engine, tmp_path), dict[Name, str]()
    worker.model(first.id, "acme")
    store.put(f"{second.prefix}/model.safetensors", b"bits rot")
    set_alias(store, "toy", "production", second.version, "acme")
    worker.look(known)
    assert known == {("toy", "acme"): second.version}

    def away(*_: Any) -> None:
        raise Unavailable("the store went away")

    set_alias(store, "toy", "production", third.version, "acme")
    with monkeypatch.context() as patch:
        patch.setattr(worker.models, "load", away)
        with pytest.raises(Unavailable):
            worker.look(known)
    worker.look(known)
    assert worker.refs() == [first.id, third.id]
