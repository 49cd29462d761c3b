"""An archive of any size needs little memory."""

import io
import json
import tarfile
import tracemalloc
from collections import deque
from typing import Literal

import pytest

from prodgen.jobs.archive import Archive
from prodgen.jobs.delivery import page
from prodgen.jobs.record import JobRecord
from prodgen.spec.order import CELL
from prodgen.storage import keys
from prodgen.storage.base import Store, in_threads
from tests.jobs.workshop import LINE, new_record
from tests.ledger.memory import MemoryStore
from tests.servers.swift import S3Server
from tests.storage.conftest import s3_store_of

LEASE, IMAGE = 8 * CELL, 20_000


def made(store: Store, leases: int, packaging: Literal["files", "tar"], lease: int = LEASE) -> JobRecord:
    """Write the images and the published manifests of a job."""
    record = new_record("large", leases * lease, packaging=packaging)
    for first in range(0, leases * lease, lease):
        folder, lines, tar = keys.cell_folder("ada", "large", first // CELL, "t"), [], io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for index in range(first, first + lease):
                name, place = f"{index:09d}.png", {"object": f"{folder}/{index:09d}.png"}
                if packaging == "tar":
                    at = {"offset": tar.tell() + 512, "length": IMAGE}
                    place = {"object": f"{folder}.tar", **at}  # type: ignore[dict-item]
                    member = tarfile.TarInfo(name)
                    member.size = IMAGE
                    archive.addfile(member, io.BytesIO(bytes(IMAGE)))
                lines.append(json.dumps({**LINE, "index": index, "file": name, **place}))
        if packaging == "tar":
            store.put(f"{folder}.tar", tar.getvalue())
        else:
            names = (json.loads(line)["object"] for line in lines)
            deque(in_threads(lambda name: store.put(name, bytes(IMAGE)), names), 0)
        store.put(keys.manifest("ada", "large", first // CELL), "\n".join([*lines, ""]).encode())
    return record


@pytest.mark.parametrize("packaging", ["tar", "files"])
def test_memory_does_not_grow_with_the_job(packaging: Literal["files", "tar"]) -> None:
    peaks = []
    for leases in (1, 6):
        store = MemoryStore()
        record = made(store, leases, packaging)
        tracemalloc.start()
        archive = Archive(store, record)
        assert sum(map(len, archive.read(0, archive.size))) == archive.size > leases * LEASE * IMAGE
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 1_000_000
    assert max(peaks) < 6_000_000


def test_the_end_of_an_archive_is_read_without_its_beginning() -> None:
    store = MemoryStore()
    record = made(store, 6, "tar")
    archive = Archive(store, record)
    read: list[str] = []
    store.before = lambda method, key: read.append(key) if method == "get" and key.endswith(".tar") else None
    for _ in archive.read(archive.size * 9 // 10, archive.size):
        pass
    assert {key.rpartition("/")[2][:9] for key in read} == {"000000040"}


@pytest.mark.parametrize("packaging", ["tar", "files"])
def test_pages_and_archives_come_from_an_s3_server(
    s3_server: S3Server, packaging: Literal["files", "tar"]
) -> None:
    """The server and a store in memory send the same, from any image and any byte on."""
    stores = MemoryStore(), s3_store_of(s3_server, bucket=f"archive-{packaging}")
    leases = 2 if packaging == "tar" else 1  # the server takes about a hundred objects a second
    records = [made(store, leases, packaging, CELL) for store in stores]
    for after, limit in ((-1, 10), (CELL - 9, 7), (leases * CELL - 2, 10)):
        kept, sent = (page(*of, after, limit) for of in zip(stores, records, strict=True))
        assert sent == kept
        assert kept[0][0].index == after + 1
    kept, sent = (Archive(*of) for of in zip(stores, records, strict=True))
    whole = b"".join(kept.read(0, kept.size))
    assert b"".join(sent.read(0, sent.size)) == whole
    middle = kept.size // 2 + 17
    assert b"".join(sent.read(middle, middle + 3 * IMAGE)) == whole[middle : middle + 3 * IMAGE]
