"""A run trains on exactly the files that were pushed, or fails with the reason."""

import errno
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from prodgen.catalog.catalogue import digest
from prodgen.catalog.formats import open_catalogue, splits
from prodgen.datasets.fetch import fetch_dataset
from prodgen.datasets.listing import CHUNK, ListedFile, read_listing, write_listing
from prodgen.datasets.versions import Dataset, create_dataset, resolve_dataset
from prodgen.errors import NotFound, ProdgenError, Unavailable
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.storage.cache import RESERVE
from prodgen.storage.local import LocalStore
from tests.datasets.conftest import Push, sha256
from tests.datasets.folders import FILES, KINDS, pictures, prepared, table
from tests.toys import write_catalogue


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_folder_opens_as_it_did_before(
    local_store: LocalStore, put: Push, tmp_path: Path, kind: str
) -> None:
    source = KINDS[kind](tmp_path / "source")
    dataset = put(local_store, source)
    folder = fetch_dataset(local_store, dataset, tmp_path / "cache")
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == FILES[kind]
    assert splits(folder) == splits(source) == [*dataset.summary.images]
    for split in splits(source):
        before, after = open_catalogue(source, split), open_catalogue(folder, split)
        assert digest(after) == digest(before)
        assert dataset.summary.images[split] == len(before)


def test_a_summary_holds_all_that_a_run_must_know(local_store: LocalStore, put: Push, tmp_path: Path) -> None:
    summary = put(local_store, prepared(tmp_path / "cut-outs")).summary
    assert summary.model_dump() == {
        "kind": "prepared",
        "images": {"train": 8, "test": 4},
        "size": (16, 16),
        "channels": 4,
        "attributes": {"category": {"values": {"bag": 3, "shoe": 3}, "unknown": 2}},
        "colours": ("colour",),
        "flaw": None,
    }
    summary = put(local_store, table(tmp_path / "table")).summary
    assert summary.attributes["colour"].model_dump() == {"values": {"red": 2}, "unknown": 2}
    assert (summary.kind, summary.size, summary.channels) == ("folder", (64, 64), 3)


def test_a_large_file_is_put_together_from_its_chunks(store: Store, put: Push, tmp_path: Path) -> None:
    source = write_catalogue(tmp_path / "source", count=10_240, size=64)
    images = source / "train-images-idx3-ubyte"
    assert images.stat().st_size > 40 << 20
    dataset = put(store, source)
    (file,) = [f for f in _files(store, dataset) if f.path == images.name]
    assert len(file.chunks) == 2
    progresses: list[tuple[int, int]] = []
    folder = fetch_dataset(store, dataset, tmp_path / "cache", lambda *progress: progresses.append(progress))
    assert (folder / images.name).read_bytes() == images.read_bytes()
    assert progresses[-1] == (dataset.bytes, dataset.bytes)


def test_an_empty_file_comes_back(local_store: LocalStore, put: Push, tmp_path: Path) -> None:
    dataset = put(local_store, prepared(tmp_path / "source"))
    files = [*_files(local_store, dataset), ListedFile(path="empty", bytes=0, chunks=())]
    listing = write_listing(files)
    local_store.put(keys.upload(dataset.tenant, sha256(listing)), listing)
    more = create_dataset(local_store, dataset.tenant, "more", sha256(listing), dataset.summary)
    assert (fetch_dataset(local_store, more, tmp_path / "cache") / "empty").read_bytes() == b""


def test_a_complete_folder_is_not_fetched_again(local_store: LocalStore, put: Push, tmp_path: Path) -> None:
    dataset = put(local_store, pictures(tmp_path / "source"))
    first = fetch_dataset(local_store, dataset, tmp_path / "cache")
    files = _files(local_store, dataset)
    local_store.delete(keys.upload(dataset.tenant, sha) for file in files for sha in file.chunks)
    assert fetch_dataset(local_store, dataset, tmp_path / "cache") == first


def test_a_folder_that_lost_a_file_is_fetched_again(
    local_store: LocalStore, put: Push, tmp_path: Path
) -> None:
    dataset = put(local_store, pictures(tmp_path / "source"))
    folder = fetch_dataset(local_store, dataset, tmp_path / "cache")
    for harm in (lambda path: path.unlink(), lambda path: path.write_bytes(b"half")):
        harm(folder / "train" / "bag" / "3.png")
        fetch_dataset(local_store, dataset, tmp_path / "cache")
        whole = tmp_path / "source" / "train" / "bag" / "3.png"
        assert (folder / "train" / "bag" / "3.png").read_bytes() == whole.read_bytes()


def test_a_corrupt_chunk_is_never_handed_out(store: Store, put: Push, tmp_path: Path) -> None:
    dataset = put(store, prepared(tmp_path / "source"))
    (file,) = [f for f in _files(store, dataset) if f.path == "train.npy"]
    key = keys.upload(dataset.tenant, file.chunks[0])
    data = bytearray(store.get(key))
    data[-1] ^= 1
    store.put(key, bytes(data))
    with pytest.raises(ProdgenError, match=rf"{dataset.id} is corrupt in the store: train\.npy has other"):
        fetch_dataset(store, dataset, tmp_path / "cache")
    assert [*(tmp_path / "cache").iterdir()] == []
    store.delete([key])
    with pytest.raises(ProdgenError, match=f"{dataset.id} is incomplete in the store"):
        fetch_dataset(store, dataset, tmp_path / "cache")
    assert [*(tmp_path / "cache").iterdir()] == []


def test_a_list_that_was_tampered_with_writes_nothing(
    local_store: LocalStore, put: Push, tmp_path: Path
) -> None:
    dataset = put(local_store, prepared(tmp_path / "source"))
    key = keys.upload(dataset.tenant, dataset.listing)
    local_store.put(key, local_store.get(key).replace(b"train.npy", b"../../bad"))
    with pytest.raises(ProdgenError, match="is corrupt in the store: the list of its files"):
        fetch_dataset(local_store, dataset, tmp_path / "cache")


def repeated(store: LocalStore, tenant: str, put: Push, folder: Path, count: int) -> tuple[Dataset, str]:
    """Upload a listing that names one chunk of 32 MiB ``count`` times; return a data set and the listing."""
    dataset = put(store, pictures(folder))
    chunk = b"x" * CHUNK
    store.put(keys.upload(tenant, sha256(chunk)), chunk)
    more = ListedFile(path="many", bytes=count * CHUNK, chunks=(sha256(chunk),) * count)
    listing = write_listing([*_files(store, dataset), more])
    store.put(keys.upload(tenant, sha256(listing)), listing)
    return dataset, sha256(listing)


def test_a_listing_that_repeats_a_chunk_is_not_larger_than_a_node(
    local_store: LocalStore, put: Push, tenant: str, tmp_path: Path
) -> None:
    dataset, listing = repeated(local_store, tenant, put, tmp_path / "source", 8000)
    with pytest.raises(ProdgenError, match=r"the files have 268\.4 GB in all; .* at most 53\.7 GB of data"):
        create_dataset(local_store, tenant, "many", listing, dataset.summary, 51_200 << 20)
    with pytest.raises(NotFound):
        resolve_dataset(local_store, tenant, "many")


def test_a_repeated_chunk_is_downloaded_once(
    local_store: LocalStore, put: Push, tenant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, listing = repeated(local_store, tenant, put, tmp_path / "source", 3)
    many = create_dataset(local_store, tenant, "many", listing, dataset.summary)
    asked: list[str] = []
    get = local_store.get
    monkeypatch.setattr(local_store, "get", lambda key, *part: asked.append(key) or get(key, *part))
    folder = fetch_dataset(local_store, many, tmp_path / "cache")
    assert (folder / "many").read_bytes() == b"x" * CHUNK * 3
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("room", [[0], [200, 0]], ids=["before", "while"])
def test_a_disk_without_room_is_said_and_nothing_is_left_on_it(
    local_store: LocalStore,
    put: Push,
    tenant: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    room: list[int],
) -> None:
    dataset, listing = repeated(local_store, tenant, put, tmp_path / "source", 4)
    many = create_dataset(local_store, tenant, "many", listing, dataset.summary)
    left = iter(room)

    def usage(_: Path) -> shutil._ntuple_diskusage:
        return shutil._ntuple_diskusage(10**12, 0, RESERVE + (next(left, room[-1]) << 20))

    monkeypatch.setattr("prodgen.storage.cache.shutil.disk_usage", usage)
    with pytest.raises(Unavailable, match=r"the disk of .* has room for 0 MB and \d+ MB are needed"):
        fetch_dataset(local_store, many, tmp_path / "cache")
    assert [*(tmp_path / "cache").iterdir()] == []


def test_a_disk_that_is_filled_meanwhile_is_one_sentence(
    local_store: LocalStore, put: Push, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = put(local_store, pictures(tmp_path / "source"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("prodgen.datasets.fetch.mark_used", full)
    with pytest.raises(Unavailable, match=rf"cache has no room for {dataset.id}: No space left on device"):
        fetch_dataset(local_store, dataset, tmp_path / "cache")


FETCH = """
import sys
from pathlib import Path
from prodgen.datasets.fetch import fetch_dataset
from prodgen.datasets.versions import resolve_dataset
from prodgen.storage.local import LocalStore
store = LocalStore(Path(sys.argv[1]), "secret", "http://gateway.test")
sys.stdin.readline()
print(fetch_dataset(store, resolve_dataset(store, sys.argv[2], "shop"), Path(sys.argv[3])))
"""


def test_many_processes_may_fetch_at_once(
    local_store: LocalStore, put: Push, tenant: str, tmp_path: Path
) -> None:
    dataset = put(local_store, pictures(tmp_path / "source", 50))
    command = [sys.executable, "-c", FETCH, str(tmp_path / "store"), tenant, str(tmp_path / "cache")]
    workers = [subprocess.Popen(command, stdin=-1, stdout=-1, text=True) for _ in range(3)]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    printed = [worker.communicate(timeout=200)[0].strip() for worker in workers]
    assert set(printed) == {str(tmp_path / "cache" / dataset.listing)}
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [dataset.listing]
    assert digest(open_catalogue(Path(printed[0]))) == digest(open_catalogue(tmp_path / "source"))


def _files(store: Store, dataset: Dataset) -> list[ListedFile]:
    return read_listing(store.get(keys.upload(dataset.tenant, dataset.listing)))
