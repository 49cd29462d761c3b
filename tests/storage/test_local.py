"""Failures that only a directory has: crashed writers, folders, and a full disk."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodgen.errors import Conflict, ProdgenError, StoreUnavailable, Unavailable
from prodgen.storage.base import check_key
from prodgen.storage.links import verify
from prodgen.storage.local import LocalStore

_WRITER = """
import itertools, sys
from pathlib import Path
from prodgen.storage.local import LocalStore
store = LocalStore(Path(sys.argv[1]), "secret", "http://localhost")
for number in itertools.count():
    store.put(f"f{number % 7}/{number:06}", bytes([number % 256]) * 200_000)
    print(number, flush=True)
"""


def test_what_was_put_survives_kill_9_and_nothing_is_half_written(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WRITER, tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        reported = [int(line) for line, _ in zip(writer.stdout, range(100), strict=False)]
        writer.kill()
        reported += [int(line) for line in writer.stdout]

    store = LocalStore(tmp_path, "secret", "http://localhost")
    found = {o.key: o.size for o in store.list("")}

    assert {f"f{number % 7}/{number:06}" for number in reported} <= found.keys()
    assert set(found.values()) == {200_000}
    for key in found:
        assert set(store.get(key)) == {int(key[3:]) % 256}


@contextmanager
def _full_disk(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond ``size`` bytes within the block."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_costs_neither_the_old_object_nor_the_space(
    local_store: LocalStore, tmp_path: Path
) -> None:
    local_store.put("a/b", b"old")
    (tmp_path / "big").write_bytes(b"x" * 9_000_000)

    with _full_disk(1_000_000):
        with pytest.raises(Unavailable, match="failed: File too large"):
            local_store.put("a/b", b"x" * 9_000_000)
        with pytest.raises(Unavailable):
            local_store.put_file("a/c", tmp_path / "big")

    assert local_store.get("a/b") == b"old"
    assert [o.key for o in local_store.list("")] == ["a/b"]
    assert _files(tmp_path / "store") == ["a/b"]


def test_an_upload_under_way_is_not_listed(local_store: LocalStore, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        upload = pool.submit(local_store.put_file, "a/b", pipe)
        with pipe.open("wb") as source:
            source.write(b"x" * 3_000_000)
            assert [*local_store.list("")] == []
        upload.result()

    assert [(o.key, o.size) for o in local_store.list("")] == [("a/b", 3_000_000)]


def test_files_of_crashed_writers_are_removed_later(local_store: LocalStore, tmp_path: Path) -> None:
    unfinished = tmp_path / "store" / ".unfinished"
    for name, age in (("old", 2 * 24 * 3600), ("young", 60)):
        (unfinished / name).write_bytes(b"x")
        os.utime(unfinished / name, (time.time() - age,) * 2)

    LocalStore(tmp_path / "store", "secret", "http://localhost")

    assert [p.name for p in unfinished.iterdir()] == ["young"]


def test_sweeping_a_folder_does_not_break_a_put_into_it(local_store: LocalStore) -> None:
    def put() -> None:
        for _ in range(150):
            local_store.put("a/b/c/kept", b"x")

    def sweep() -> None:
        while not putting.done():
            local_store.delete(["a/b/c/kept"])

    with ThreadPoolExecutor(2) as pool:
        putting = pool.submit(put)
        pool.submit(sweep).result()
        putting.result()


def test_deleted_jobs_leave_no_empty_folders(local_store: LocalStore, tmp_path: Path) -> None:
    for key in ("a/b/c/1", "a/b/c/2", "a/b/d/1", "a/e"):
        local_store.put(key, b"x")

    local_store.delete(["a/b/c/1", "a/b/d/1"])
    assert _folders(tmp_path / "store") == ["a", "a/b", "a/b/c"]
    local_store.delete(["a/b/c/2"])
    assert _folders(tmp_path / "store") == ["a"]


def test_an_object_is_never_lost_to_a_folder_of_its_name(local_store: LocalStore) -> None:
    local_store.put("a/b", b"x")

    for key in ("a", "a/b/c"):
        with pytest.raises(Conflict):
            local_store.put(key, b"y")
    local_store.delete(["a", "a/b/c"])

    assert local_store.get("a/b") == b"x"


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(Unavailable, match="Not a directory"):
        LocalStore(tmp_path / "file" / "store", "secret", "http://localhost")


def test_a_store_whose_folder_was_moved_fails_its_check(local_store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "store").rename(tmp_path / "elsewhere")

    with pytest.raises(Unavailable):
        local_store.check()
    with pytest.raises(Unavailable):
        local_store.put("a", b"x")


def test_a_link_leads_to_the_gateway(local_store: LocalStore) -> None:
    address = urlsplit(local_store.link("tenants/b c.png", 60, "shoe.png"))

    assert address.path == "/v1/objects/tenants/b%20c.png"
    allowed = verify("a-signing-secret", "tenants/b c.png", dict(parse_qsl(address.query)))
    assert (allowed.file_name, allowed.offset, allowed.length) == ("shoe.png", 0, None)


@given(st.text(st.sampled_from("./\\ab\0 ~é")) | st.text())
def test_a_valid_key_stays_inside_the_root(key: str) -> None:
    try:
        check_key(key)
    except ProdgenError:
        return
    path = os.path.join("/root/of/store", key)
    assert os.path.normpath(path) == path
    assert path.startswith("/root/of/store/")


def _files(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


def _folders(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("[!.]*") if p.is_dir())


def test_a_store_whose_folder_is_gone_is_not_an_empty_store(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store", "secret", "http://localhost")
    store.put("a/b", b"x")
    (tmp_path / "store").rename(tmp_path / "moved")
    uses: list[Callable[[], object]] = [
        lambda: store.get("a/b"),
        lambda: store.stat("a/b"),
        lambda: [*store.list("")],
        lambda: [*store.names("a/")],
        lambda: store.delete(["a/b"]),
    ]
    for use in uses:
        with pytest.raises(StoreUnavailable, match="is not there"):
            use()
    (tmp_path / "store").mkdir()  # where a disk is mounted
    with pytest.raises(StoreUnavailable, match="is not there"):
        store.get("a/b")
