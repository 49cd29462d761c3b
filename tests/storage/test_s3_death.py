"""The S3 server dies, and is started again or not."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from minio import Minio

from prodgen.errors import Unavailable
from prodgen.storage.base import Store
from prodgen.storage.s3 import S3Store
from tests.servers.process import free_port
from tests.servers.swift import S3Server
from tests.storage.conftest import USES, s3_store_of


@pytest.mark.parametrize("use", USES)
def test_a_dead_store_costs_a_bounded_time(s3_server: S3Server, use: Callable[[Store], object]) -> None:
    store = s3_store_of(s3_server, endpoint=f"http://127.0.0.1:{free_port()}", retry_seconds=0.3)
    started = time.monotonic()

    with pytest.raises(Unavailable, match="does not answer: no connection can be made"):
        use(store)

    assert time.monotonic() - started < 20


def test_images_survive_kill_9_of_the_store(s3_server: S3Server, s3_store: S3Store, folder: str) -> None:
    keys = [f"{folder}{number}" for number in range(5)]
    for key in keys:
        s3_store.put(key, key.encode())

    with s3_server.down():
        pass

    assert [o.key for o in s3_store.list(folder)] == keys
    assert [s3_store.get(key) for key in keys] == [key.encode() for key in keys]


def test_a_store_that_comes_back_in_time_loses_no_work(
    s3_server: S3Server, s3_store: S3Store, folder: str, tmp_path: Path
) -> None:
    patient = s3_store_of(s3_server, retry_seconds=60.0)
    patient.put(f"{folder}before", b"b")
    (tmp_path / "file").write_bytes(bytes(6 << 20))

    with ThreadPoolExecutor(4) as pool:
        with s3_server.down():
            waiting = [
                pool.submit(patient.put, f"{folder}during", b"d"),
                pool.submit(patient.put_file, f"{folder}file", tmp_path / "file"),
                pool.submit(patient.get, f"{folder}before"),
                pool.submit(lambda: [o.key for o in patient.list(f"{folder}be")]),
            ]
        _, _, got, listed = [work.result() for work in waiting]

    assert got == b"b"
    assert listed == [f"{folder}before"]
    assert s3_store.get(f"{folder}during") == b"d"
    assert s3_store.stat(f"{folder}file").size == 6 << 20


def test_a_long_upload_survives_the_death_of_the_store(
    s3_server: S3Server, s3_store: S3Store, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = s3_store_of(s3_server, retry_seconds=60.0)
    data = b"".join(bytes([number]) * 1_000_000 for number in range(24))
    (tmp_path / "checkpoint").write_bytes(data)
    upload_part, parts, killed = Minio._upload_part, count(), threading.Event()

    def upload_part_and_kill(*arguments: Any) -> Any:
        if next(parts) == 2:
            s3_server.kill()
            killed.set()
        return upload_part(*arguments)

    monkeypatch.setattr(Minio, "_upload_part", upload_part_and_kill)
    with ThreadPoolExecutor(1) as pool:
        upload = pool.submit(patient.put_file, f"{folder}checkpoint", tmp_path / "checkpoint")
        try:
            assert killed.wait(60)
        finally:
            s3_server.start()
        upload.result()

    assert s3_store.get(f"{folder}checkpoint") == data
