"""Links, credentials and buckets of a real S3 server."""

import time
import traceback
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from prodgen.client.transport import Transport
from prodgen.errors import NotFound, ProdgenError, Unavailable
from prodgen.storage.base import Store
from prodgen.storage.s3 import S3Store
from tests.servers.process import free_port
from tests.servers.swift import S3Server
from tests.storage.conftest import USES, s3_store_of


def test_a_link_downloads_by_plain_http_under_its_name(s3_store: S3Store, folder: str) -> None:
    s3_store.put(f"{folder}ü 7.png", b"an image", "image/png")

    answer = httpx.get(s3_store.link(f"{folder}ü 7.png", 60, "réd shoe.png"), timeout=60)

    assert (answer.status_code, answer.content) == (200, b"an image")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"r_d shoe.png\"; filename*=UTF-8''r%C3%A9d%20shoe.png"
    )


def test_an_altered_or_expired_link_downloads_nothing(
    s3_store: S3Store, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mine", "yours"):
        s3_store.put(folder + name, b"an image")
    link = s3_store.link(f"{folder}mine", 60, "shoe.png")
    assert httpx.get(link, timeout=60).status_code == 200

    monkeypatch.setattr("minio.time.utcnow", lambda: datetime.now(UTC) - timedelta(seconds=61))
    expired = s3_store.link(f"{folder}mine", 60, "shoe.png")

    for bad in (
        link.replace(f"{folder}mine", f"{folder}yours"),
        link.replace("X-Amz-Expires=60", "X-Amz-Expires=600000"),
        link.replace("shoe.png", "shoe.html"),
        link[:-8] + "00000000",
        expired,
    ):
        assert httpx.get(bad, timeout=60).status_code == 403, bad
    assert httpx.get(link.partition("?")[0], timeout=60).status_code in {400, 403}


def test_public_links_are_signed_without_a_request(s3_server: S3Server, s3_store: S3Store) -> None:
    s3_store.put("shared/public", b"an image")
    public = s3_server.endpoint.replace("127.0.0.1", "localhost")
    store = s3_store_of(s3_server, endpoint=f"http://127.0.0.1:{free_port()}", public_endpoint=public)

    link = store.link("shared/public", 60, "a.png")

    assert link.startswith(f"{public}/contract/shared/public?")
    assert httpx.get(link, timeout=60).content == b"an image"


@pytest.mark.parametrize("seconds", [0, -1, 7 * 24 * 3600 + 1])
def test_a_link_that_no_store_would_honour_is_not_made(s3_store: S3Store, seconds: int) -> None:
    with pytest.raises(ProdgenError, match="seven days"):
        s3_store.link("shared/a", seconds, "a.png")


@pytest.mark.parametrize("wrong", [{"secret_key": "wrong-secret-key"}, {"access_key": "prodgen:nobody"}])
@pytest.mark.parametrize("use", USES)
def test_wrong_credentials_are_reported_but_not_shown(
    s3_server: S3Server, use: Callable[[Store], object], wrong: dict[str, str]
) -> None:
    store = s3_store_of(s3_server, **wrong, retry_seconds=60.0)
    started = time.monotonic()

    with pytest.raises(Unavailable, match="refuses the credentials") as caught:
        use(store)

    assert time.monotonic() - started < 40, "refusals must not be tried again"
    shown = "".join(traceback.format_exception(caught.value))
    assert "wrong-secret-key" not in shown
    assert s3_server.secret_key not in shown
    assert "\n" not in str(caught.value)


def test_sixteen_workers_make_the_bucket_once(s3_server: S3Server) -> None:
    store = s3_store_of(s3_server, bucket=f"fresh-{uuid.uuid4().hex}")

    with ThreadPoolExecutor(16) as pool:
        [*pool.map(lambda number: store.put(f"{number:02}", b"x"), range(16))]

    assert [o.key for o in store.list("")] == [f"{number:02}" for number in range(16)]


def test_a_new_store_is_empty_and_healthy(s3_server: S3Server, tmp_path: Path) -> None:
    def fresh() -> S3Store:
        return s3_store_of(s3_server, bucket=f"fresh-{uuid.uuid4().hex}")

    assert [*fresh().list("")] == []
    fresh().delete(["a"])
    fresh().check()
    for read in (fresh().get, fresh().stat):
        with pytest.raises(NotFound):
            read("a")
    (tmp_path / "big").write_bytes(bytes(6 << 20))
    fresh().put_file("big", tmp_path / "big")


def test_deletes_go_in_batches(s3_store: S3Store, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prodgen.storage.s3._DELETE_BATCH", 3)
    for number in range(8):
        s3_store.put(f"{folder}{number}", b"x")

    s3_store.delete(o.key for o in s3_store.list(folder) if not o.key.endswith("5"))

    assert [o.key for o in s3_store.list(folder)] == [f"{folder}5"]


def test_a_download_by_link_continues_where_it_broke_off(s3_store: S3Store, folder: str) -> None:
    s3_store.put(f"{folder}weights", bytes(range(250)) * 4000)
    link, client = s3_store.link(f"{folder}weights", 60, "weights"), Transport("http://127.0.0.1:1", "no key")
    pieces = [*client.read_from(link, 900_000, "weights")]
    client.close()
    assert {size for size, _ in pieces} == {1_000_000}
    assert b"".join(data for _, data in pieces) == bytes(range(250)) * 400
