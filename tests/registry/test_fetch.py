"""A worker loads exactly the files that were published."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from prodgen.errors import ProdgenError
from prodgen.registry.fetch import fetch, fetch_discriminator, has_discriminator
from prodgen.registry.publish import publish
from prodgen.storage.local import LocalStore

Model = Callable[..., Path]


def test_a_fetched_model_is_the_published_one(store: LocalStore, model: Model, tmp_path: Path) -> None:
    source = model(b"weights")
    folder = fetch(store, publish(store, source, "shoes", None), tmp_path / "cache")
    for file in ("config.json", "model.safetensors"):
        assert (folder / file).read_bytes() == (source / file).read_bytes()


def test_a_discriminator_is_fetched_only_on_request(store: LocalStore, model: Model, tmp_path: Path) -> None:
    source = model(b"weights")
    discriminator = source / "discriminator.safetensors"
    discriminator.write_bytes((source / "model.safetensors").read_bytes())
    version = publish(store, source, "shoes", None)
    folder = fetch(store, version, tmp_path / "cache")
    assert sorted(path.name for path in folder.glob("*.safetensors")) == ["model.safetensors"]
    assert has_discriminator(store, version)
    fetch_discriminator(store, version, folder)
    assert (folder / discriminator.name).read_bytes() == discriminator.read_bytes()

    plain = publish(store, model(b"plain"), "shoes", None)
    assert not has_discriminator(store, plain)
    alone = fetch(store, plain, tmp_path / "cache")
    fetch_discriminator(store, plain, alone)
    assert not (alone / discriminator.name).exists()

    discriminator.write_bytes(b"\x80\x04pickle")
    with pytest.raises(ProdgenError, match=r"discriminator.safetensors is not a safetensors file"):
        publish(store, source, "boots", None)


def test_a_cached_model_needs_no_store(store: LocalStore, model: Model, tmp_path: Path) -> None:
    version = publish(store, model(), "shoes", None)
    first = fetch(store, version, tmp_path / "cache")
    store.delete([f"{version.prefix}/model.safetensors"])
    assert fetch(store, version, tmp_path / "cache") == first


def test_a_broken_cache_is_fetched_again(store: LocalStore, model: Model, tmp_path: Path) -> None:
    version = publish(store, model(b"weights"), "shoes", None)
    folder = fetch(store, version, tmp_path / "cache")
    (folder / "model.safetensors").write_bytes(b"half")
    fetch(store, version, tmp_path / "cache")
    assert (folder / "model.safetensors").read_bytes().endswith(b"weights")


def test_a_corrupt_checkpoint_is_one_clear_error(store: LocalStore, model: Model, tmp_path: Path) -> None:
    version = publish(store, model(), "shoes", None)
    store.put(f"{version.prefix}/model.safetensors", b"bits rot")
    with pytest.raises(ProdgenError, match=f"{version.id} is corrupt in the store"):
        fetch(store, version, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    store.delete([f"{version.prefix}/model.safetensors"])
    with pytest.raises(ProdgenError, match=f"{version.id} is incomplete in the store"):
        fetch(store, version, tmp_path / "cache")


def test_many_workers_may_fetch_at_once(store: LocalStore, model: Model, tmp_path: Path) -> None:
    version = publish(store, model(b"w" * 100_000), "shoes", None)
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: fetch(store, version, tmp_path / "cache"), range(16)))
    assert len(folders) == 1
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [f"shoes-{version.version}"]
