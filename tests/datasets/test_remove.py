"""A data set that is removed is gone with all that was its own; what others need stays."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

import pytest

from prodgen.catalog.catalogue import digest
from prodgen.catalog.formats import open_catalogue
from prodgen.datasets import Dataset, create_dataset, datasets, fetch_dataset, remove, resolve_dataset
from prodgen.datasets.describe import summarise
from prodgen.datasets.direct import Direct
from prodgen.datasets.push import push
from prodgen.datasets.remove import Removed, remove_dataset
from prodgen.errors import Conflict, NotFound, ProdgenError, Unavailable
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.storage.local import LocalStore
from tests.datasets.conftest import Push, quiet, sha256
from tests.datasets.folders import pictures, table

Remove = Callable[..., Removed]


@pytest.fixture
def take(tenant: str) -> Remove:
    """Removes data of the tenant: ``take(store, ref)``."""

    def take(store: Store, ref: str, lock: object = nullcontext, check: object = lambda _: None) -> Removed:
        return remove_dataset(store, tenant, ref, lock, check)  # type: ignore[arg-type]

    return take


def lying(store: Store, tenant: str) -> dict[str, int]:
    """All that lies in the store of a tenant's: sizes by keys."""
    return {info.key: info.size for info in store.list(f"{keys.TENANTS}{tenant}/")}


def changed(folder: Path, copy: Path) -> Path:
    """A copy with one picture of its own."""
    shutil.copytree(folder, copy)
    bag = copy / "train" / "bag"
    (bag / "0.png").write_bytes((bag / "0.png").read_bytes() + b"other")
    return copy


def opens(store: Store, dataset: Dataset, folder: Path, cache: Path) -> bool:
    """Whether it comes out of the store as it was brought."""
    fetched = fetch_dataset(store, dataset, cache)
    return digest(open_catalogue(fetched)) == digest(open_catalogue(folder))


def test_what_only_it_needs_goes_and_what_others_share_stays(
    store: Store, put: Push, take: Remove, tmp_path: Path, tenant: str
) -> None:
    folder = pictures(tmp_path / "shop")
    other = put(store, changed(folder, tmp_path / "changed"), "other")
    before = lying(store, tenant)
    first = put(store, folder)
    store.put(keys.upload(f"{tenant}-2", sha256(b"theirs")), b"theirs")
    own = {key: size for key, size in lying(store, tenant).items() if key not in before}
    assert len(own) == 3, "its manifest, its list of files, the picture that differs"

    removed = take(store, "shop")

    manifest = keys.dataset(tenant, "shop", first.version)
    assert removed == Removed([first.id], sum(own.values()) - own[manifest])
    assert lying(store, tenant) == before
    assert lying(store, f"{tenant}-2")
    with pytest.raises(NotFound, match="there is no data set 'shop'; there are other"):
        resolve_dataset(store, tenant, first.id)
    assert opens(store, other, tmp_path / "changed", tmp_path / "cache")
    with pytest.raises(NotFound, match="there is no data set 'shop'; there are other"):
        take(store, "shop")
    assert take(store, other.id).versions == [other.id]
    assert lying(store, tenant) == {}
    assert opens(store, put(store, folder), folder, tmp_path / "again"), "it can be brought again"


def test_one_version_or_all_of_a_name(
    store: Store, put: Push, take: Remove, tmp_path: Path, tenant: str
) -> None:
    folder = pictures(tmp_path / "shop")
    first, second = put(store, folder), put(store, changed(folder, tmp_path / "changed"))
    namesake = put(store, folder, "shop-2")
    assert namesake.listing == first.listing
    with pytest.raises(NotFound, match=f"shop has no version '0{'1' * 11}'; it has "):
        take(store, f"shop@0{'1' * 11}")
    with pytest.raises(ProdgenError, match="'shop@' ends before the version; all of them are 'shop'"):
        take(store, "shop@")

    assert take(store, first.id) == Removed([first.id], 0), "the namesake has the same files"
    assert [dataset.id for dataset in datasets(store, tenant)] == [namesake.id, second.id]
    assert opens(store, namesake, folder, tmp_path / "cache")
    put(store, folder)
    assert sorted(take(store, "shop").versions) == sorted([first.id, second.id])
    assert opens(store, namesake, folder, tmp_path / "cache")
    assert take(store, "shop-2").versions == [namesake.id]
    assert lying(store, tenant) == {}


@pytest.mark.parametrize("ref", ["", "../../etc", "a/b", "@0123456789ab", "a@b@c", "a@../b"])
def test_only_a_name_can_be_removed(local_store: LocalStore, take: Remove, ref: str) -> None:
    with pytest.raises(ProdgenError):
        take(local_store, ref)


def test_its_judges_go_with_it(store: Store, put: Push, take: Remove, tmp_path: Path, tenant: str) -> None:
    folder = table(tmp_path / "shop")
    dataset = put(store, folder)
    put(store, folder, "shop-2")
    judges = [keys.judge(tenant, "shop", f"{dataset.version}-{read}") for read in ("own-own", "64-3")]
    others = [
        keys.judge(tenant, "shop", f"{'0' * 12}-own-own"),
        keys.judge(tenant, "shop-2", f"{dataset.version}-own-own"),
        keys.judge(f"{tenant}-2", "shop", f"{dataset.version}-own-own"),
    ]
    for key in [*judges, *others]:
        store.put(key, b"judge")
    take(store, dataset.id)
    for key in judges:
        with pytest.raises(NotFound):
            store.stat(key)
    assert all(store.stat(key) for key in others)


def test_one_that_must_stay_keeps_all(
    local_store: LocalStore, put: Push, take: Remove, tmp_path: Path, tenant: str
) -> None:
    folder = pictures(tmp_path / "shop")
    first, second = put(local_store, folder), put(local_store, changed(folder, tmp_path / "changed"))
    before = lying(local_store, tenant)

    def check(going: Sequence[Dataset]) -> None:
        assert {dataset.id for dataset in going} == {first.id, second.id}
        raise Conflict("a run reads it")

    with pytest.raises(Conflict, match="a run reads it"):
        take(local_store, "shop", check=check)
    assert lying(local_store, tenant) == before


def test_what_broke_off_half_way_goes_on_when_it_is_asked_for_again(
    store: Store, put: Push, take: Remove, tmp_path: Path, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remove, "BATCH", 7)
    dataset = put(store, pictures(tmp_path / "shop"))
    kept = put(store, table(tmp_path / "table"), "table")
    count = len(lying(store, tenant))
    for turns in range(6):
        left = turns

        @contextmanager
        def lock() -> Iterator[None]:
            nonlocal left
            left -= 1
            if left < 0:
                raise Unavailable("it is another's lock")
            yield

        with pytest.raises(Unavailable):
            take(store, dataset.id if turns % 2 else "shop", lock=lock)
        refs = [d.id for d in datasets(store, tenant)]
        assert refs == ([kept.id] if turns else [kept.id, dataset.id])
        now = len(lying(store, tenant))
        assert now < count if turns > 1 else now == count, "from the second lock on it is deleted"
        count = now
    assert take(store, "shop").versions == [dataset.id]
    assert [d.id for d in datasets(store, tenant)] == [kept.id]
    assert len(lying(store, tenant)) == kept.files + 2
    with pytest.raises(NotFound):
        take(store, "shop")


@pytest.mark.parametrize("name", ["shop", "other"])
def test_one_that_is_made_while_another_goes_is_whole(
    store: Store, put: Push, take: Remove, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its chunks were there when it asked which it has to send."""
    monkeypatch.setattr(remove, "BATCH", 7)
    folder = pictures(tmp_path / "shop")
    dataset = put(store, folder)
    turns, made = 0, []

    @contextmanager
    def lock() -> Iterator[None]:
        nonlocal turns
        turns += 1
        if turns == 3:  # some of it has gone: that is sent again
            made.append(put(store, folder, name))
        yield

    removed = take(store, "shop", lock=lock)
    assert turns == 6
    assert removed.versions == [dataset.id]
    assert removed.bytes < dataset.bytes
    assert opens(store, made[0], folder, tmp_path / "cache")


def test_one_that_is_mended_while_another_goes_is_whole(
    store: Store, put: Push, take: Remove, tmp_path: Path, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remove, "BATCH", 7)
    folder = pictures(tmp_path / "shop")
    put(store, folder)
    other = put(store, changed(folder, tmp_path / "changed"), "other")
    store.delete([keys.upload(tenant, other.listing)])  # so that nobody knows what it needs
    turns = 0

    @contextmanager
    def lock() -> Iterator[None]:
        nonlocal turns
        turns += 1
        if turns == 3:
            put(store, tmp_path / "changed", "other")
        yield

    take(store, "shop", lock=lock)
    assert opens(store, other, tmp_path / "changed", tmp_path / "cache")


def test_a_push_that_was_told_that_all_is_there_is_told_to_push_again(
    local_store: LocalStore, put: Push, take: Remove, tmp_path: Path, tenant: str
) -> None:
    folder = pictures(tmp_path / "shop")
    dataset = put(local_store, folder)
    told = local_store.get(keys.upload(tenant, dataset.listing))
    take(local_store, "shop")
    with pytest.raises(NotFound, match="send the list of files to /v1/uploads, or push again"):
        remake(local_store, dataset)
    local_store.put(keys.upload(tenant, dataset.listing), told)
    with pytest.raises(Conflict, match=r"the 24 chunks are not in the store; .* or push again"):
        remake(local_store, dataset)


def remake(store: Store, dataset: Dataset) -> None:
    """What a push does last."""
    create_dataset(store, dataset.tenant, dataset.name, dataset.listing, dataset.summary)


def test_a_node_tries_again_what_a_removal_came_between(
    local_store: LocalStore, put: Push, take: Remove, tmp_path: Path, tenant: str
) -> None:
    folder = table(tmp_path / "shop")
    put(local_store, folder)
    summary, turns = summarise(folder, quiet), 0

    @contextmanager
    def lock() -> Iterator[None]:
        nonlocal turns
        turns += 1
        if turns == 1:
            take(local_store, "shop")
        yield

    receiver = Direct(local_store, tenant, lock)
    with pytest.raises(Unavailable, match="push again"):
        push(receiver, folder, "shop", summary, quiet)
    pushed = push(receiver, folder, "shop", summary, quiet)
    made = resolve_dataset(local_store, tenant, pushed.dataset["id"])
    assert opens(local_store, made, folder, tmp_path / "cache")


def test_what_was_sent_again_for_something_else_stays_for_a_while(
    local_store: LocalStore, put: Push, take: Remove, tmp_path: Path, tenant: str
) -> None:
    folder = table(tmp_path / "shop")
    order = (folder / "attributes.csv").read_bytes()
    put(local_store, folder)
    key = keys.upload(tenant, sha256(order))
    local_store.put(key, order)
    take(local_store, "shop")
    assert [*lying(local_store, tenant)] == [key], "an order may be about to be read from it"
    put(local_store, folder)
    path = tmp_path / "store" / key
    local_store.put(key, order)
    then = path.stat().st_mtime - timedelta(hours=1, seconds=5).total_seconds()
    os.utime(path, (then, then))
    take(local_store, "shop")
    assert lying(local_store, tenant) == {}


def test_one_whose_list_is_lost_or_broken_can_be_removed(
    local_store: LocalStore, put: Push, take: Remove, tmp_path: Path, tenant: str
) -> None:
    folder = pictures(tmp_path / "shop")
    broken = put(local_store, folder, "broken")
    kept = put(local_store, changed(folder, tmp_path / "changed"), "kept")
    (tmp_path / "store" / keys.upload(tenant, broken.listing)).write_bytes(b"{}")
    os.utime(tmp_path / "store" / keys.upload(tenant, broken.listing), (0, 0))
    with pytest.raises(Conflict, match=f"of {broken.id} is broken, .*: remove that one first"):
        take(local_store, "kept")
    assert take(local_store, "broken").bytes == 2
    assert take(local_store, "kept").versions == [kept.id]
    lost = put(local_store, folder, "lost")
    local_store.delete([keys.upload(tenant, lost.listing)])
    assert take(local_store, "lost") == Removed([lost.id], 0)
    assert datasets(local_store, tenant) == []
