"""What every object store must do: a local directory and a real S3 server alike."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prodgen.errors import NotFound, ProdgenError
from prodgen.storage.base import Store, list_folders

ODD_NAMES = ["Zürich 名前.png", "a+b%20c&d=e.png", "#1?'(x)~!$,;:@.png", '"q" <tag> *|^`.png', "😀/豈.png"]
OUTSIDE = [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    "..",
    "../a",
    "a/../../b",
    "./a",
    "a/.b",
    "a\\b",
    "a\0b",
    "a\nb",
    "\ud800",
]


@pytest.mark.parametrize("data", [b"", b"\0\r\n", bytes(range(256)) * 999])
def test_an_image_comes_back_as_it_was_put(store: Store, folder: str, data: bytes) -> None:
    store.put(f"{folder}image.png", data, "image/png")

    assert store.get(f"{folder}image.png") == data
    assert store.stat(f"{folder}image.png").size == len(data)


def test_a_member_of_a_tar_is_read_without_the_rest(store: Store, folder: str) -> None:
    store.put(f"{folder}a.tar", b"0123456789")

    def get(offset: int, length: int | None = None) -> bytes:
        return store.get(f"{folder}a.tar", offset, length)

    assert get(0, 1) == b"0"
    assert get(3, 4) == b"3456"
    assert get(7) == b"789"
    assert get(7, 99) == b"789"
    assert get(10) == get(99, 5) == get(4, 0) == b""


def test_missing_objects_differ_from_empty_ones(store: Store, folder: str) -> None:
    store.put(f"{folder}there/a", b"")

    for missing in (f"{folder}there/b", f"{folder}there", f"{folder}nowhere/a"):
        for read in (
            store.get,
            store.stat,
            lambda key: store.get(key, 5, 5),
            lambda key: store.get(key, 0, 0),
        ):
            with pytest.raises(NotFound, match=missing):
                read(missing)
    assert [*store.list(f"{folder}nowhere/")] == []


def test_an_object_knows_its_age(store: Store, folder: str) -> None:
    store.put(f"{folder}a", b"abc")

    found = store.stat(f"{folder}a")

    assert abs((datetime.now(UTC) - found.modified).total_seconds()) < 60
    assert [(o.key, o.size) for o in store.list(folder)] == [(found.key, 3)]


def test_names_below_a_folder_are_listed_without_what_lies_deeper(store: Store, folder: str) -> None:
    for name in ("a", *(f"b/{number}" for number in range(25)), "b.c", "c/d/e"):
        store.put(folder + name, b"")
    assert list(store.names(folder)) == ["a", "b.c", "b/", "c/"]
    assert list(store.names(f"{folder}c/")) == ["d/"]
    assert list(store.names(f"{folder}nowhere/")) == []
    assert list(list_folders(store, folder)) == ["b", "c"]


def test_pages_of_a_listing_miss_and_repeat_nothing(store: Store, folder: str) -> None:
    names = ["a", "a b", "a-b", "a.b", "b/a", "b/c/d", "b-/a", "b0", "b/é", "z", "é", "豈", "😀"]
    keys = sorted(folder + name for name in names)
    with ThreadPoolExecutor(4) as pool:
        [*pool.map(lambda key: store.put(key, b"x"), random.Random(0).sample(keys, len(keys)))]

    assert [o.key for o in store.list(folder)] == keys
    for position, key in enumerate(keys):
        assert [o.key for o in store.list(folder, after=key)] == keys[position + 1 :]
    assert [o.key for o in store.list(folder, after=f"{folder}b/")] == [k for k in keys if k > f"{folder}b/"]
    assert [o.key for o in store.list(f"{folder}b")] == [k for k in keys if k.startswith(f"{folder}b")]
    assert [o.key for o in store.list(f"{folder}b/")] == [k for k in keys if k.startswith(f"{folder}b/")]
    assert [o.key for o in store.list(f"{folder}b/", after=f"{folder}a")] == [
        k for k in keys if k.startswith(f"{folder}b/")
    ]
    assert [*store.list(f"{folder}b/", after=f"{folder}c")] == []


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_product_may_have_any_printable_name(store: Store, folder: str, name: str) -> None:
    store.put(folder + name, b"x")

    assert store.get(folder + name) == b"x"
    assert store.stat(folder + name).key == folder + name
    assert [o.key for o in store.list(folder)] == [folder + name]
    assert [*store.list(folder, after=folder + name)] == []
    store.delete([folder + name])
    assert [*store.list(folder)] == []


@pytest.mark.parametrize("key", [*OUTSIDE, "x" * 256, "x/" * 513 + "x"])
def test_no_key_leads_out_of_the_store(store: Store, tmp_path: Path, key: str) -> None:
    (tmp_path / "b").write_bytes(b"secret")

    for use in (
        lambda: store.get(key),
        lambda: store.stat(key),
        lambda: store.put(key, b"x"),
        lambda: store.put_file(key, tmp_path / "b"),
        lambda: store.delete([key]),
        lambda: store.link(key, 60, "a.png"),
        lambda: [*store.list(f"{key}/")],
    ):
        with pytest.raises(ProdgenError, match="not a valid key"):
            use()


@pytest.mark.parametrize("key", ["system/keys.json", "tenants", "tenantsx/a", "jobs/tenants/a"])
def test_links_lead_only_to_tenants_and_shared_objects(store: Store, key: str) -> None:
    with pytest.raises(ProdgenError, match="no link may lead to"):
        store.link(key, 60, "a.png")


def test_a_reader_never_sees_half_of_an_overwrite(store: Store, folder: str) -> None:
    versions = [bytes([version]) * 300_000 for version in range(8)]
    store.put(f"{folder}a", versions[0])

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(lambda: [store.put(f"{folder}a", data) for data in versions])
        while not writer.done():
            assert store.get(f"{folder}a") in versions

    assert store.get(f"{folder}a") == versions[-1]
    assert store.stat(f"{folder}a").size == 300_000


def test_deleting_twice_is_no_error_and_spares_the_rest(store: Store, folder: str) -> None:
    for name in ("a/1", "a/2", "b"):
        store.put(folder + name, b"x")

    store.delete(o.key for o in store.list(f"{folder}a/"))
    store.delete([f"{folder}a/1", f"{folder}never"])
    store.delete([])

    assert [o.key for o in store.list(folder)] == [f"{folder}b"]
    store.put(f"{folder}a/1", b"again")
    assert store.get(f"{folder}a/1") == b"again"


def test_many_threads_lose_nothing(store: Store, folder: str) -> None:
    def work(number: int) -> bool:
        key, data = f"{folder}{number:03}", random.Random(number).randbytes(5000)
        store.put(key, data)
        return store.get(key) == data and store.stat(key).size == 5000

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(work, range(48)))

    assert [o.key for o in store.list(folder)] == [f"{folder}{number:03}" for number in range(48)]


def test_a_checkpoint_of_many_parts_arrives_whole(store: Store, folder: str, tmp_path: Path) -> None:
    data = random.Random(0).randbytes(12_000_001)
    (tmp_path / "checkpoint").write_bytes(data)

    store.put_file(f"{folder}file", tmp_path / "checkpoint")
    store.put(f"{folder}bytes", data)

    assert store.get(f"{folder}file") == store.get(f"{folder}bytes") == data
    assert store.get(f"{folder}file", 5 << 20, 6 << 20) == data[5 << 20 : 11 << 20]
    assert [(o.key, o.size) for o in store.list(folder)] == [
        (f"{folder}bytes", len(data)),
        (f"{folder}file", len(data)),
    ]
    store.delete([f"{folder}file"])
    with pytest.raises(NotFound):
        store.get(f"{folder}file")


def test_a_working_store_passes_its_check(store: Store) -> None:
    store.check()
