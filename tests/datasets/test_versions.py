"""A name means the version that was pushed last, and a version always the same files."""

import os
from pathlib import Path

import pytest

from prodgen.datasets.listing import find_chunks
from prodgen.datasets.versions import create_dataset, datasets, resolve_dataset
from prodgen.errors import NotFound, ProdgenError
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.storage.local import LocalStore
from tests.datasets.conftest import Push, sha256
from tests.datasets.folders import pictures, table


def test_the_same_files_are_the_same_version(store: Store, put: Push, tmp_path: Path, tenant: str) -> None:
    first = put(store, pictures(tmp_path / "one"))
    again = put(store, pictures(tmp_path / "two"))
    assert again.id == first.id
    assert [dataset.id for dataset in datasets(store, tenant)] == [first.id]
    (tmp_path / "two" / "train" / "bag" / "0.png").rename(tmp_path / "two" / "train" / "bag" / "9.png")
    assert put(store, tmp_path / "two").version != first.version


def test_a_name_means_what_was_pushed_last(store: Store, put: Push, tmp_path: Path, tenant: str) -> None:
    folder = pictures(tmp_path / "shop")
    picture = folder / "train" / "bag" / "0.png"
    kept = picture.read_bytes()
    old = put(store, folder)
    picture.write_bytes((folder / "train" / "bag" / "1.png").read_bytes())
    new = put(store, folder)
    assert new.id != old.id
    assert resolve_dataset(store, tenant, "shop") == new
    assert resolve_dataset(store, tenant, old.id) == old
    picture.write_bytes(kept)
    put(store, folder)
    assert resolve_dataset(store, tenant, "shop").id == old.id
    assert [dataset.id for dataset in datasets(store, tenant)] == [old.id, new.id]


def test_an_unknown_data_set_is_answered_with_those_there_are(
    store: Store, put: Push, tmp_path: Path, tenant: str
) -> None:
    with pytest.raises(NotFound, match="no data set 'hats'; none has been pushed yet"):
        resolve_dataset(store, tenant, "hats")
    bags, shoes = put(store, table(tmp_path / "b"), "bags"), put(store, table(tmp_path / "s"), "shoes")
    assert bags.version == shoes.version
    with pytest.raises(NotFound, match="no data set 'hats'; there are bags, shoes") as caught:
        resolve_dataset(store, tenant, "hats")
    assert caught.value.param == "dataset"
    with pytest.raises(NotFound, match=f"bags has no version 'beta'; it has {bags.version}"):
        resolve_dataset(store, tenant, "bags@beta")
    with pytest.raises(NotFound, match="none has been pushed yet"):
        resolve_dataset(store, f"{tenant}-2", "bags")


@pytest.mark.parametrize("ref", ["", "../../etc", "a/b", "a@b@c", "@0123456789ab"])
def test_a_data_set_is_a_name_never_a_path(local_store: LocalStore, ref: str) -> None:
    with pytest.raises(ProdgenError):
        resolve_dataset(local_store, "acme", ref)


def test_a_list_written_in_another_way_is_the_same_version(
    local_store: LocalStore, put: Push, tmp_path: Path, tenant: str
) -> None:
    dataset = put(local_store, table(tmp_path / "shop"))
    lines = local_store.get(keys.upload(tenant, dataset.listing)).splitlines()
    other = b"\r\n".join(line.replace(b'":', b'" : ') for line in reversed(lines))
    local_store.put(keys.upload(tenant, sha256(other)), other)
    made = create_dataset(local_store, tenant, "shop", sha256(other), dataset.summary)
    assert made.listing == dataset.listing


@pytest.mark.parametrize("count", [1, 100, 101, 300])
def test_stored_chunks_are_found_among_any_number_of_digests(store: Store, tenant: str, count: int) -> None:
    there = {sha256(bytes([k])): k for k in range(0, 40, 3)}
    for digest, size in there.items():
        store.put(keys.upload(tenant, digest), os.urandom(size))
    wanted = [sha256(bytes([k % 256, k // 256][: 1 + k // 256])) for k in range(count)]
    sizes = {digest: info.size for digest, info in find_chunks(store, tenant, wanted).items()}
    assert sizes == {digest: size for digest, size in there.items() if digest in wanted}
