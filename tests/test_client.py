"""What a caller would lose: answers while a gateway restarts, events after a broken connection, files."""

import csv
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from prodgen.client import Client
from prodgen.errors import Conflict, NotFound, ProdgenError, Unavailable
from prodgen.spec.finish import file_name

JOB = {"id": "j", "state": "running"}
UNAVAILABLE = httpx.Response(503, json={"error": {"message": "Redis does not answer", "param": None}})

Handler = Callable[[httpx.Request], httpx.Response]


class Network:
    """Answers every request of httpx with ``handler``; records the requests and the pauses between them."""

    handler: Handler

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        return self.handler(request)

    def script(self, *answers: httpx.Response | Exception) -> None:
        """Give the answers one after the other, the last of them for ever."""
        left = list(answers)

        def handler(_: httpx.Request) -> httpx.Response:
            answer = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.handler = handler


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    network, own, sleep = Network(), threading.get_ident(), time.sleep

    def pause(seconds: float) -> None:
        if threading.get_ident() == own:
            network.pauses.append(seconds)
        else:  # a thread that an earlier test has left
            sleep(seconds)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda _, request: network.answer(request))
    monkeypatch.setattr(time, "sleep", pause)
    return network


@pytest.fixture
def client(network: Network) -> Iterator[Client]:
    """A client that the gateway has answered once."""
    network.script(httpx.Response(200, json=JOB))
    with Client("http://gateway:8000/", "pg_key") as client:
        client.job("j")
        network.requests.clear()
        yield client


class Stream(httpx.SyncByteStream):
    """The chunks of a body; an exception among them breaks the connection."""

    def __init__(self, *chunks: str | Exception) -> None:
        self.chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk.encode()


def events(*chunks: str | Exception) -> httpx.Response:
    return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=Stream(*chunks))


def event(number: int, state: str) -> str:
    return f"id: {number}-0\nevent: state\ndata: {json.dumps({'state': state, 'done': number})}\n\n"


def test_the_key_goes_to_the_gateway_and_not_to_the_links(
    client: Client, network: Network, tmp_path: Path
) -> None:
    client.fetch_sample({"url": "http://elsewhere/signed", "name": "0001.png"}, tmp_path / "0001.png")
    client.job("j")

    link, job = network.requests
    assert "Authorization" not in link.headers
    assert job.headers["Authorization"] == "Bearer pg_key"
    assert str(job.url) == "http://gateway:8000/v1/jobs/j"


def test_a_gateway_that_restarts_is_given_time(client: Client, network: Network) -> None:
    network.script(httpx.ConnectError("refused"), UNAVAILABLE, httpx.Response(200, json=JOB))

    assert client.job("j") == JOB
    assert network.pauses == [0.2, 0.4]


def test_patience_ends(client: Client, network: Network) -> None:
    network.script(httpx.ConnectError("refused"))
    with pytest.raises(Unavailable, match=r"^the gateway at http://gateway:8000/ does not answer: refused$"):
        client.job("j")
    assert len(network.requests) == 17
    assert max(network.pauses) == 5.0

    network.script(UNAVAILABLE)
    with pytest.raises(Unavailable, match=r"^Redis does not answer$"):
        client.job("j")


def test_a_gateway_that_never_answered_is_not_waited_for(network: Network) -> None:
    network.script(httpx.ConnectError("refused"))
    with Client("http://gateway:8000", "pg_key") as client:
        for call in (client.job, client.logs):
            with pytest.raises(Unavailable, match="does not answer"):
                call("j")
    assert network.pauses == []


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        (
            httpx.Response(404, json={"error": {"message": "there is no job 'j'", "param": "job"}}),
            ProdgenError,
            "there is no job 'j'",
        ),
        (httpx.Response(418, text="teapot"), ProdgenError, "the gateway answered 418"),
        (httpx.Response(500, json=["odd"]), Unavailable, "the gateway answered 500"),
    ],
)
def test_a_refusal_is_the_gateways_own_sentence(
    client: Client, network: Network, answer: httpx.Response, kind: type[ProdgenError], sentence: str
) -> None:
    network.script(answer)
    with pytest.raises(kind, match=f"^{sentence}$"):
        client.job("j")
    assert len(network.requests) == 1


def test_lists_are_fetched_page_by_page(client: Client, network: Network) -> None:
    pages = [{"data": [1, 2], "next": "2"}, {"data": [3], "next": None}]
    network.script(*(httpx.Response(200, json=page) for page in pages))

    assert list(client.jobs()) == [1, 2, 3]
    assert [request.url.params.get("after") for request in network.requests] == [None, "2"]


def test_the_faults_of_a_refused_order_reach_the_caller(client: Client, network: Network) -> None:
    faults = [{"message": f"row {n}: no", "param": f"row {n}"} for n in (2, 3)]
    error = {"message": "row 2: no (and 6 more rows)", "param": "row 2", "details": faults, "more": 5}
    network.script(httpx.Response(400, json={"error": error}))
    with pytest.raises(ProdgenError, match="and 6 more") as caught:
        client.submit({})
    assert [(str(one), one.param) for one in caught.value.details] == [
        ("row 2: no", "row 2"),
        ("row 3: no", "row 3"),
    ]
    assert caught.value.more == 5


def test_events_continue_where_a_connection_broke(client: Client, network: Network) -> None:
    network.script(
        events(": still here\n\n", event(1, "queued"), event(2, "running")[:20], httpx.ReadError("broke")),
        UNAVAILABLE,
        events(event(2, "running")),
        events(": still here\n\n", event(3, "running"), ": still here\n\n", event(4, "succeeded"), "no more"),
    )

    seen = list(client.watch("j"))

    assert [data["done"] for data in seen] == [1, 2, 3, 4]
    after = [request.headers["Last-Event-ID"] for request in network.requests]
    assert after == ["0", "1-0", "1-0", "2-0"]


def test_a_stream_that_never_says_anything_is_given_up(client: Client, network: Network) -> None:
    network.handler = lambda _: events()
    with pytest.raises(Unavailable, match="the gateway at http://gateway:8000/ "):
        list(client.watch("j"))
    network.script(httpx.Response(404, json={"error": {"message": "there is no job 'j'"}}))
    with pytest.raises(ProdgenError, match="there is no job 'j'"):
        list(client.watch("j"))


def test_a_queued_request_carries_a_key_that_makes_it_safe_to_repeat(
    client: Client, network: Network
) -> None:
    network.script(UNAVAILABLE, httpx.Response(202, json=JOB))
    client.submit({"model": "shoes"})
    client.train({"recipe": "toy"}, "monday")

    first, again, named = (request.headers["Idempotency-Key"] for request in network.requests)
    assert first == again
    assert len(first) == 32
    assert named == "monday"


def test_an_upload_is_sent_whole_at_each_attempt(client: Client, network: Network, tmp_path: Path) -> None:
    (tmp_path / "order.csv").write_text("sku\nA-1\n")
    missing = httpx.Response(200, json={"missing": ["abc"]})
    network.script(missing, httpx.ReadError("broke"), UNAVAILABLE, httpx.Response(200, json={"id": "abc"}))

    assert client.upload(tmp_path / "order.csv") == "abc"
    assert {request.content for request in network.requests[1:]} == {b"sku\nA-1\n"}
    network.script(httpx.Response(200, json={"missing": []}))
    client.upload(tmp_path / "order.csv")
    assert len(network.requests) == 5, "what is there already was sent again"


def test_many_digests_are_asked_for_in_several_requests(client: Client, network: Network) -> None:
    network.script(httpx.Response(200, json={"missing": ["a"]}), httpx.Response(200, json={"missing": ["b"]}))

    assert client.missing(f"{k:064x}" for k in range(10_001)) == {"a", "b"}
    assert [len(json.loads(request.content)["ids"]) for request in network.requests] == [10_000, 1]


def image(index: int, data: bytes) -> dict[str, Any]:
    return {
        "index": index,
        "seed": 0,
        "draw": index,
        "attributes": {},
        "model": "shoes@0123456789ab",
        "truncation": 1.0,
        "finish": {},
        "format": "png",
        "precision": "fp32",
        "file": f"{index:09d}.png",
        "sha256": hashlib.sha256(data).hexdigest(),
        "url": f"http://store/{index}",
    }


class Store:
    """A job of two images, whose bytes a test may change."""

    def __init__(self) -> None:
        self.files = {f"/{index}": f"image {index}".encode() for index in range(2)}
        self.images = [image(index, data) for index, data in enumerate(self.files.values())]

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "gateway":
            return httpx.Response(200, json={"data": self.images, "next": None})
        content = self.files.get(request.url.path)
        return httpx.Response(404) if content is None else httpx.Response(200, content=content)


def test_a_download_continues_where_it_stopped(client: Client, network: Network, tmp_path: Path) -> None:
    store = Store()
    network.handler = store.answer
    assert [one["index"] for one in client.download("j", tmp_path)] == [0, 1]
    (tmp_path / "000000001.png").write_bytes(b"half")
    network.requests.clear()

    list(client.download("j", tmp_path))

    assert [r.url.path for r in network.requests if r.url.host == "store"] == ["/1"]
    assert (tmp_path / "000000001.png").read_bytes() == b"image 1"
    lines = [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert [line["file"] for line in lines] == ["000000000.png", "000000001.png"]
    assert "url" not in lines[0]


def test_a_download_has_a_folder_for_each_sku_and_a_table(
    client: Client, network: Network, tmp_path: Path
) -> None:
    store = Store()
    network.handler = store.answer
    for one, sku in zip(store.images, ("Größe/40", "ドレス"), strict=True):
        one |= {"sku": sku, "attributes": {"category": "bag", "colour": "#112233"}}
        one["file"] = "../" + file_name(one["index"], "png", sku)
    files = [one["file"] for one in client.download("j", tmp_path, by_sku=True)]

    assert files == ["Größe_40/000000000-Größe_40-0.png", "ドレス/000000001-ドレス-0.png"]
    assert [(tmp_path / file).read_bytes() for file in files] == [b"image 0", b"image 1"]
    with (tmp_path / "manifest.csv").open(encoding="utf-8-sig", newline="") as table:
        rows = list(csv.DictReader(table))
    assert [(row["file"], row["sku"]) for row in rows] == list(
        zip(files, ("Größe/40", "ドレス"), strict=True)
    )
    assert (rows[1]["index"], rows[1]["category"], rows[1]["colour"]) == ("1", "bag", "#112233")
    assert (rows[1]["title_en"], rows[1]["alt_zh"]) == ("Navy bag", "藏青色包")
    assert rows[1]["name_en"] == "navy-bag-000000001-ドレス-0.png"
    lines = [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert [line["file"] for line in lines] == files
    network.requests.clear()
    list(client.download("j", tmp_path, by_sku=True))
    assert [r for r in network.requests if r.url.host == "store"] == []


def test_what_cannot_be_downloaded_is_named(client: Client, network: Network, tmp_path: Path) -> None:
    store = Store()
    network.handler = store.answer
    store.files["/1"] = b"other"
    with pytest.raises(ProdgenError, match=r"^000000001\.png came with other bytes than were recorded$"):
        list(client.download("j", tmp_path))
    del store.files["/1"]
    with pytest.raises(NotFound, match=r"^000000001\.png is no longer in the store$"):
        list(client.download("j", tmp_path))
    store.images = [image(0, b"of another order") | {"seed": 5}]
    with pytest.raises(Conflict, match="already holds the images of another request"):
        list(client.download("j", tmp_path))
    network.handler = lambda r: store.answer(r) if r.url.host == "gateway" else httpx.Response(403)
    with pytest.raises(ProdgenError, match=r"^0001\.png could not be downloaded: the store answered 403$"):
        client.fetch_sample({"url": "http://store/x", "name": "0001.png"}, tmp_path / "0001.png")
