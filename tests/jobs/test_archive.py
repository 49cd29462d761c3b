"""An archive of any size needs little memory."""

import io
import json
import tarfile
import tracemalloc
from typing import Literal

import pytest

from prodgen.jobs.archive import Archive
from prodgen.jobs.record import JobRecord
from prodgen.spec.order import CELL
from prodgen.storage import keys
from tests.jobs.workshop import LINE, new_record
from tests.ledger.memory import MemoryStore

LEASE, IMAGE = 8 * CELL, 20_000


def made(store: MemoryStore, leases: int, packaging: Literal["files", "tar"]) -> JobRecord:
    """Write the images and the published manifests of a job."""
    record = new_record("large", leases * LEASE, packaging=packaging)
    for first in range(0, leases * LEASE, LEASE):
        folder, lines, tar = keys.cell_folder("ada", "large", first // CELL, "t"), [], io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for index in range(first, first + LEASE):
                name, place = f"{index:09d}.png", {"object": f"{folder}/{index:09d}.png"}
                if packaging == "files":
                    store.put(place["object"], bytes(IMAGE))
                else:
                    at = {"offset": tar.tell() + 512, "length": IMAGE}
                    place = {"object": f"{folder}.tar", **at}  # type: ignore[dict-item]
                    member = tarfile.TarInfo(name)
                    member.size = IMAGE
                    archive.addfile(member, io.BytesIO(bytes(IMAGE)))
                lines.append(json.dumps({**LINE, "index": index, "file": name, **place}))
        if packaging == "tar":
            store.put(f"{folder}.tar", tar.getvalue())
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
