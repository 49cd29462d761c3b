"""Removing a data set removes its own uploads and keeps those that other data sets need."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

import pytest

from prodgen.catalog.catalogue import digest
from prodgen.catalog.formats import open_catalogue
from prodgen.datasets import remove
from prodgen.datasets.fetch import fetch_dataset
from prodgen.datasets.push import StoreTarget, push
from prodgen.datasets.remove import Removed, remove_dataset
from prodgen.datasets.summary import summarise
from prodgen.datasets.versions import Dataset, create_dataset, datasets, resolve_dataset
from prodgen.errors import Conflict, NotFound, ProdgenError, Unavailable
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.storage.local import LocalStore
from tests.datasets.conftest import Push, quiet, sha256
from tests.datasets.folders import pictures, table

Remove = Callable[..., Removed]


@pytest.fixture
def remove_ref(tenant: str) -> Remove:
    """Return a function that removes data sets of the tenant: ``remove_ref(store, ref)``."""

    def remove_ref(
        store: Store, ref: str, lock: object = nullcontext, check: object = lambda _: None
    ) -> Removed:
        return remove_dataset(store, tenant, ref, lock, check)  # type: ignore[arg-type]

    return remove_ref


def stored(store: Store, tenant: str) -> dict[str, int]:
    """Return the sizes of all objects of a tenant, by key."""
    return {info.key: info.size for info in store.list(f"{keys.TENANTS}{tenant}/")}


def changed(folder: Path, copy: Path) -> Path:
    """Copy the folder and change one picture."""
    shutil.copytree(folder, copy)
    bag = copy / "train" / "bag"
    (bag / "0.png").write_bytes((bag / "0.png").read_bytes() + b"other")
    return copy


def opens(store: Store, dataset: Dataset, folder: Path, cache: Path) -> bool:
    """Return whether the fetched data set equals the folder that was pushed."""
    fetched = fetch_dataset(store, dataset, cache)
    return digest(open_catalogue(fetched)) == digest(open_catalogue(folder))


def test_only_uploads_that_no_other_data_set_needs_are_removed(
    store: Store, put: Push, remove_ref: Remove, tmp_path: Path, tenant: str
) -> None:
    folder = pictures(tmp_path / "shop")
    other = put(store, changed(folder, tmp_path / "changed"), "other")
    before = stored(store, tenant)
    first = put(store, folder)
    store.put(keys.upload(f"{tenant}-2", sha256(b"theirs")), b"theirs")
    own = {key: size for key, size in stored(store, tenant).items() if key not in before}
    assert len(own) == 3, "its record, its list of files, the picture that differs"

    removed = remove_ref(store, "shop")

    record = keys.dataset(tenant, "shop", first.version)
    assert removed == Removed([first.id], sum(own.values()) - own[record])
    assert stored(store, tenant) == before
    assert stored(store, f"{tenant}-2")
    with pytest.raises(NotFound, match="there is no data set 'shop'; there are other"):
        resolve_dataset(store, tenant, first.id)
    assert opens(store, other, tmp_path / "changed", tmp_path / "cache")
    with pytest.raises(NotFound, match="there is no data set 'shop'; there are other"):
        remove_ref(store, "shop")
    assert remove_ref(store, other.id).versions == [other.id]
    assert stored(store, tenant) == {}
    assert opens(store, put(store, folder), folder, tmp_path / "again"), "it can be pushed again"


def test_one_version_or_all_versions_of_a_name_are_removed(
    local_store: LocalStore, put: Push, remove_ref: Remove, tmp_path: Path, tenant: str
) -> None:
    folder = pictures(tmp_path / "shop")
    first, second = put(local_store, folder), put(local_store, changed(folder, tmp_path / "changed"))
    namesake = put(local_store, folder, "shop-2")
    assert namesake.listing == first.listing
    with pytest.raises(NotFound, match=f"shop has no version '0{'1' * 11}'; it has "):
        remove_ref(local_store, f"shop@0{'1' * 11}")
    with pytest.raises(ProdgenError, match="'shop@' ends before the version; all of them are 'shop'"):
        remove_ref(local_store, "shop@")

    assert remove_ref(local_store, first.id) == Removed([first.id], 0), "the namesake has the same files"
    assert [dataset.id for dataset in datasets(local_store, tenant)] == [namesake.id, second.id]
    assert opens(local_store, namesake, folder, tmp_path / "cache")
    put(local_store, folder)
    assert sorted(remove_ref(local_store, "shop").versions) == sorted([first.id, second.id])
    assert opens(local_store, namesake, folder, tmp_path / "cache")
    assert remove_ref(local_store, "shop-2").versions == [namesake.id]
    assert stored(local_store, tenant) == {}


@pytest.mark.parametrize("ref", ["", "../../etc", "a/b", "@0123456789ab", "a@b@c", "a@../b"])
def test_only_a_name_can_be_removed(local_store: LocalStore, remove_ref: Remove, ref: str) -> None:
    with pytest.raises(ProdgenError):
        remove_ref(local_store, ref)


def test_the_judges_of_a_version_are_removed_with_it(
    local_store: LocalStore, put: Push, remove_ref: Remove, tmp_path: Path, tenant: str
) -> None:
    folder = table(tmp_path / "shop")
    dataset = put(local_store, folder)
    put(local_store, folder, "shop-2")
    judges = [keys.judge(tenant, "shop", f"{dataset.version}-{read}") for read in ("own-own", "64-3")]
    others = [
        keys.judge(tenant, "shop", f"{'0' * 12}-own-own"),
        keys.judge(tenant, "shop-2", f"{dataset.version}-own-own"),
        keys.judge(f"{tenant}-2", "shop", f"{dataset.version}-own-own"),
    ]
    for key in [*judges, *others]:
        local_store.put(key, b"judge")
    remove_ref(local_store, dataset.id)
    for key in judges:
        with pytest.raises(NotFound):
            local_store.stat(key)
    assert all(local_store.stat(key) for key in others)


def test_a_version_that_must_stay_prevents_the_whole_removal(
    local_store: LocalStore, put: Push, remove_ref: Remove, tmp_path: Path, tenant: str
) -> None:
    folder = pictures(tmp_path / "shop")
    first, second = put(local_store, folder), put(local_store, changed(folder, tmp_path / "changed"))
    before = stored(local_store, tenant)

    def check(going: Sequence[Dataset]) -> None:
        assert {dataset.id for dataset in going} == {first.id, second.id}
        raise Conflict("a run reads it")

    with pytest.raises(Conflict, match="a run reads it"):
        remove_ref(local_store, "shop", check=check)
    assert stored(local_store, tenant) == before


def test_an_interrupted_removal_continues_when_it_is_requested_again(
    local_store: LocalStore,
    put: Push,
    remove_ref: Remove,
    tmp_path: Path,
    tenant: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remove, "BATCH", 7)
    dataset = put(local_store, pictures(tmp_path / "shop"))
    kept = put(local_store, table(tmp_path / "table"), "table")
    count = len(stored(local_store, tenant))
    for turns in range(6):
        left = turns

        @contextmanager
        def lock() -> Iterator[None]:
            nonlocal left
            left -= 1
            if left < 0:
                raise Unavailable("another process holds the lock")
            yield

        with pytest.raises(Unavailable):
            remove_ref(local_store, dataset.id if turns % 2 else "shop", lock=lock)
        refs = [d.id for d in datasets(local_store, tenant)]
        assert refs == ([kept.id] if turns else [kept.id, dataset.id])
        now = len(stored(local_store, tenant))
        assert now < count if turns > 1 else now == count, "uploads are deleted from the second lock on"
        count = now
    assert remove_ref(local_store, "shop").versions == [dataset.id]
    assert [d.id for d in datasets(local_store, tenant)] == [kept.id]
    assert len(stored(local_store, tenant)) == kept.files + 2
    with pytest.raises(NotFound):
        remove_ref(local_store, "shop")


@pytest.mark.parametrize("name", ["shop", "other"])
def test_a_version_created_during_a_removal_is_complete(
    local_store: LocalStore,
    put: Push,
    remove_ref: Remove,
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some of its chunks exist at the start of its push, and are removed then."""
    monkeypatch.setattr(remove, "BATCH", 7)
    folder = pictures(tmp_path / "shop")
    dataset = put(local_store, folder)
    turns, made = 0, []

    @contextmanager
    def lock() -> Iterator[None]:
        nonlocal turns
        turns += 1
        if turns == 3:  # some chunks are deleted by now, and are sent again
            made.append(put(local_store, folder, name))
        yield

    removed = remove_ref(local_store, "shop", lock=lock)
    assert turns == 6
    assert removed.versions == [dataset.id]
    assert removed.bytes < dataset.bytes
    assert opens(local_store, made[0], folder, tmp_path / "cache")


def test_a_version_repaired_during_a_removal_is_complete(
    local_store: LocalStore,
    put: Push,
    remove_ref: Remove,
    tmp_path: Path,
    tenant: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remove, "BATCH", 7)
    folder = pictures(tmp_path / "shop")
    put(local_store, folder)
    other = put(local_store, changed(folder, tmp_path / "changed"), "other")
    local_store.delete([keys.upload(tenant, other.listing)])  # so that its chunks are unknown
    turns = 0

    @contextmanager
    def lock() -> Iterator[None]:
        nonlocal turns
        turns += 1
        if turns == 3:
            put(local_store, tmp_path / "changed", "other")
        yield

    remove_ref(local_store, "shop", lock=lock)
    assert opens(local_store, other, tmp_path / "changed", tmp_path / "cache")


def test_a_push_whose_chunks_were_removed_meanwhile_is_refused(
    local_store: LocalStore, put: Push, remove_ref: Remove, tmp_path: Path, tenant: str
) -> None:
    folder = pictures(tmp_path / "shop")
    dataset = put(local_store, folder)
    listing = local_store.get(keys.upload(tenant, dataset.listing))
    remove_ref(local_store, "shop")
    with pytest.raises(NotFound, match="send the list of files to /v1/uploads, or push again"):
        remake(local_store, dataset)
    local_store.put(keys.upload(tenant, dataset.listing), listing)
    with pytest.raises(Conflict, match=r"the 24 chunks are not in the store; .* or push again"):
        remake(local_store, dataset)


def remake(store: Store, dataset: Dataset) -> None:
    """Repeat the last step of a push."""
    create_dataset(store, dataset.tenant, dataset.name, dataset.listing, dataset.summary)


def test_a_push_interrupted_by_a_removal_can_be_repeated(
    local_store: LocalStore, put: Push, remove_ref: Remove, tmp_path: Path, tenant: str
) -> None:
    folder = table(tmp_path / "shop")
    put(local_store, folder)
    summary, turns = summarise(folder, quiet), 0

    @contextmanager
    def lock() -> Iterator[None]:
        nonlocal turns
        turns += 1
        if turns == 1:
            remove_ref(local_store, "shop")
        yield

    target = StoreTarget(local_store, tenant, lock)
    with pytest.raises(Unavailable, match="push again"):
        push(target, folder, "shop", summary, quiet)
    pushed = push(target, folder, "shop", summary, quiet)
    made = resolve_dataset(local_store, tenant, pushed.dataset["id"])
    assert opens(local_store, made, folder, tmp_path / "cache")


def test_an_upload_that_was_repeated_for_an_order_stays_for_a_while(
    local_store: LocalStore, put: Push, remove_ref: Remove, tmp_path: Path, tenant: str
) -> None:
    folder = table(tmp_path / "shop")
    order = (folder / "attributes.csv").read_bytes()
    put(local_store, folder)
    key = keys.upload(tenant, sha256(order))
    local_store.put(key, order)
    remove_ref(local_store, "shop")
    assert [*stored(local_store, tenant)] == [key], "an order may be about to read it"
    put(local_store, folder)
    path = tmp_path / "store" / key
    local_store.put(key, order)
    then = path.stat().st_mtime - timedelta(hours=1, seconds=5).total_seconds()
    os.utime(path, (then, then))
    remove_ref(local_store, "shop")
    assert stored(local_store, tenant) == {}


def test_a_version_with_a_lost_or_broken_list_can_be_removed(
    local_store: LocalStore, put: Push, remove_ref: Remove, tmp_path: Path, tenant: str
) -> None:
    folder = pictures(tmp_path / "shop")
    broken = put(local_store, folder, "broken")
    kept = put(local_store, changed(folder, tmp_path / "changed"), "kept")
    (tmp_path / "store" / keys.upload(tenant, broken.listing)).write_bytes(b"{}")
    os.utime(tmp_path / "store" / keys.upload(tenant, broken.listing), (0, 0))
    with pytest.raises(Conflict, match=f"of {broken.id} is broken, .*; remove that data set first"):
        remove_ref(local_store, "kept")
    assert remove_ref(local_store, "broken").bytes == 2
    assert remove_ref(local_store, "kept").versions == [kept.id]
    lost = put(local_store, folder, "lost")
    local_store.delete([keys.upload(tenant, lost.listing)])
    assert remove_ref(local_store, "lost") == Removed([lost.id], 0)
    assert datasets(local_store, tenant) == []
