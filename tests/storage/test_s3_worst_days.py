"""Broken answers of S3 servers and of the proxies before them."""

import socket
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from prodgen.errors import ProdgenError, Unavailable
from prodgen.storage.base import in_threads
from prodgen.storage.s3 import S3Store
from tests.servers.proxy import Proxy
from tests.servers.scripted import Answer, scripted_server

HTML = "text/html"


def _store(endpoint: str, retry_seconds: float = 5.0) -> S3Store:
    return S3Store("bucket", endpoint, "access", "a-secret", retry_seconds=retry_seconds)


def _error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>a-secret</Message></Error>".encode()


@pytest.mark.parametrize(
    "bad",
    [
        Answer(503, _error("SlowDown")),
        Answer(500, _error("InternalError")),
        Answer(502, b"<h1>Bad gateway</h1>", HTML),
        Answer(429, b"", HTML),
        Answer(200, b"cut sh", HTML, length=10),
    ],
)
def test_a_transient_failure_is_not_seen(bad: Answer) -> None:
    script = [bad, bad, Answer(200, b"whole", "image/png")]

    with scripted_server(lambda method, path: script.pop(0)) as url:
        assert _store(url).get("a") == b"whole"
    assert script == []


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answer(503, _error("SlowDown")), "failed (SlowDown)"),
        (Answer(502, b"<h1>Bad gateway</h1>", HTML), "failed (502)"),
        (Answer(403, b"<h1>Go away</h1>", HTML), "refuses the credentials (403)"),
        (Answer(401, _error("ExpiredToken")), "refuses the credentials (ExpiredToken)"),
        (Answer(400, _error("EntityTooLarge")), "failed (EntityTooLarge)"),
        (Answer(404, _error("NoSuchBucket")), "failed (NoSuchBucket)"),
        (Answer(200, b"cut sh", HTML, length=10), "does not answer: the connection broke"),
        (Answer(403, b"<Error"), "failed (an unreadable answer)"),
        (Answer(403, b"\xff"), "failed (an unreadable answer)"),
    ],
)
def test_a_lasting_failure_is_one_plain_sentence(answer: Answer, sentence: str) -> None:
    def script(method: str, path: str) -> Answer:
        return answer if method == "GET" else Answer(200)

    with scripted_server(script) as url, pytest.raises(Unavailable) as caught:
        _store(url, retry_seconds=0.2).get("a")

    assert str(caught.value) == f"the object store at {url} {sentence}"


def test_a_silent_store_costs_a_bounded_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = _store(f"http://127.0.0.1:{silent.getsockname()[1]}", retry_seconds=0.4)
        started = time.monotonic()

        with pytest.raises(Unavailable, match="does not answer: no answer in time"):
            store.put("a", b"x")

        assert 0.3 < time.monotonic() - started < 20


def test_connections_that_a_network_dropped_cost_one_wait_and_no_failure() -> None:
    with (
        scripted_server(lambda method, path: Answer(200, b"whole"), "HTTP/1.1") as url,
        Proxy(urlsplit(url).port or 0) as proxy,
    ):
        store = _store(f"http://127.0.0.1:{proxy.port}", retry_seconds=0.5)
        assert [*in_threads(store.get, "abcdefgh")] == [b"whole"] * 8

        proxy.half_open()

        assert store.get("a") == b"whole"
        assert len(proxy.silenced) == 1, "another connection was tried that is as old"


def test_an_upload_that_fails_under_status_200_is_no_success(tmp_path: Path) -> None:
    def script(method: str, path: str) -> Answer:
        if path.endswith("?uploads="):
            return Answer(200, b"<R><UploadId>7</UploadId></R>")
        return Answer(200, _error("InternalError") if method == "POST" else b"")

    (tmp_path / "file").write_bytes(bytes(6 << 20))
    with scripted_server(script) as url, pytest.raises(Unavailable, match=r"failed \(500\)"):
        _store(url).put_file("a", tmp_path / "file")


def test_an_upload_whose_last_answer_was_lost_is_made_again(tmp_path: Path) -> None:
    completions = [
        Answer(404, _error("NoSuchUpload")),
        Answer(200, b"<R><ETag>7</ETag></R>"),
    ]

    def script(method: str, path: str) -> Answer:
        if path.endswith("?uploads="):
            return Answer(200, b"<R><UploadId>7</UploadId></R>")
        return completions.pop(0) if method == "POST" else Answer(204 if method == "DELETE" else 200)

    (tmp_path / "file").write_bytes(bytes(6 << 20))
    with scripted_server(script) as url:
        _store(url).put_file("a", tmp_path / "file")
    assert completions == []


@pytest.mark.parametrize(
    "refusal",
    [
        Answer(501, _error("NotImplemented")),
        Answer(405, b"no", HTML),
        Answer(200, _error("InternalError")),
        Answer(200, b"<R><Error><Key>a</Key><Code>InternalError</Code></Error></R>"),
    ],
)
def test_a_store_without_bulk_deletes_still_deletes(refusal: Answer) -> None:
    deleted: Counter[str] = Counter()

    def script(method: str, path: str) -> Answer:
        if method == "POST":
            return refusal
        deleted[path] += 1
        return Answer(404, _error("NoSuchKey")) if path.endswith("b") else Answer(204)

    with scripted_server(script) as url:
        _store(url).delete(["a", "b"])

    assert deleted["/bucket/a"] == 1
    assert max(deleted.values()) == 1


def test_credentials_that_may_not_create_the_bucket_are_reported() -> None:
    def script(method: str, path: str) -> Answer:
        return (
            Answer(403, _error("AccessDenied")) if path == "/bucket" else Answer(404, _error("NoSuchBucket"))
        )

    with scripted_server(script) as url, pytest.raises(Unavailable, match="bucket does not exist, and"):
        _store(url).put("a", b"x")


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:9000", "ftp://host", "http://host/path", "http://user:pw@host", "http://"]
)
def test_a_wrong_endpoint_is_refused_at_the_start(endpoint: str) -> None:
    with pytest.raises(ProdgenError) as caught:
        _store(endpoint)
    assert "pw" not in str(caught.value)
