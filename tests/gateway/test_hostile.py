"""Requests of hostile or broken clients are refused in one sentence, and cost other clients nothing."""

import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway import middleware, protocol
from api_gateway.deployment import UPLOADS_PER_TENANT
from api_gateway.requests import MAX_DEPTH
from api_gateway.routes import uploads
from prodgen import access
from prodgen.access import KeyRing
from tests.gateway.running import Client, Gateway
from tests.servers.process import wait_until

JSON = {"Content-Type": "application/json"}
ORDER = b"sku,count\nA-1,2\n"


def nested(depth: int) -> dict[str, Any]:
    """Return ``depth`` objects within each other."""
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"deeper": value}
    return value


@pytest.fixture
def trainer(gateway: Gateway, client: Client) -> Iterator[Client]:
    """A key of the same tenant for orders and training."""
    with gateway.client(client.tenant, ["generate", "train", "promote"]) as trainer:
        yield trainer


def test_strangers_with_random_keys_hold_no_thread_of_others(
    client: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/v1/jobs").status_code == 200  # the key is known by now
    wait, keys = threading.Event(), iter(f"pg_{number:043d}" for number in range(60))
    monkeypatch.setattr(access, "UNKNOWN_WAIT", 60.0)
    monkeypatch.setattr(KeyRing, "_load", lambda ring: wait.wait() and ring._keys)

    def ask() -> int:
        headers = {"Authorization": f"Bearer {next(keys)}"}
        return httpx.get(f"{client.base_url}/v1/jobs", headers=headers, timeout=60).status_code

    with ThreadPoolExecutor(60) as pool:
        strangers = [pool.submit(ask) for _ in range(60)]
        try:
            limiter = gateway.app.state.deployment.stranger_threads
            wait_until(lambda: limiter.statistics().tasks_waiting > 40, "the strangers do not wait")
            assert client.get("/v1/jobs").status_code == 200
        finally:
            monkeypatch.undo()
            wait.set()
        assert {stranger.result() for stranger in strangers} == {401}


def test_invented_methods_share_one_label(anyone: httpx.Client, gateway: Gateway) -> None:
    public = gateway.settings.public_url
    for number in range(5):
        assert anyone.request(f"INVENTED{number}", f"{public}/healthz").status_code == 405
    wait_until(lambda: 'method="OTHER"' in anyone.get(f"{public}/metrics").text, "not counted")
    assert "INVENTED" not in anyone.get(f"{public}/metrics").text


@pytest.mark.parametrize("wrong", ["x", "0" * 23, "0" * 25, "é" * 24, "9" * 5000, ""])
@pytest.mark.parametrize("url", ["/v1/jobs", "/v1/training-jobs"])
def test_a_cursor_that_no_page_gave_is_refused(trainer: Client, url: str, wrong: str) -> None:
    status, error = trainer.error("GET", url, params={"after": wrong})
    assert (status, error["param"]) == (400, "after")
    assert error["message"] == "after: this is not a cursor; send the `next` of the page before"


@pytest.mark.parametrize("wrong", [2**64, 2**63, "9" * 5000, -2, "x", "1.5"])
def test_an_index_beyond_every_job_is_refused(client: Client, wrong: object) -> None:
    job = client.order(count=3)["id"]
    status, error = client.error("GET", f"/v1/jobs/{job}/images", params={"after": wrong})
    assert (status, error["param"]) == (400, "after")
    assert client.get(f"/v1/jobs/{job}/images", params={"after": 2**63 - 1}).json()["data"] == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"model": "shoes", "count": %s}' % ("9" * 101), "a whole number in the request has more than 100"),
        ('{"model": "shoes", "count": %s}' % ("9" * 5000), "a whole number in the request has more than 100"),
        ('{"model": "shoes", "count": 1e4400}', "the number 1e4400 in the request is too large"),
        ('{"model": "shoes", "truncation": 1e999}', "the number 1e999 in the request is too large"),
        ('{"model": "shoes", "truncation": NaN}', "NaN is not a number that JSON knows"),
        ('{"model": "\\ud800"}', "the request holds half of a surrogate pair"),
        (json.dumps({"model": "shoes", "finish": nested(MAX_DEPTH)}), "the request nests objects and lists"),
        (json.dumps({"model": "shoes", "finish": nested(900)}), "the request nests objects and lists"),
    ],
)
def test_an_order_that_cannot_be_stored_is_refused(client: Client, body: str, message: str) -> None:
    status, error = client.error("POST", "/v1/jobs", content=body.encode(), headers=JSON)
    assert status == 400
    assert error["message"].startswith(message)


def test_counts_whose_sum_is_enormous_are_refused(client: Client) -> None:
    items = [{"sku": f"A-{n}", "count": 10**99} for n in range(50)]
    status, error = client.error("POST", "/v1/jobs", json={"model": "shoes", "items": items})
    assert (status, error["param"]) == (400, "count")


@pytest.mark.parametrize("field", ["recipe", "settings"])
@pytest.mark.parametrize(
    "value", [nested(900), nested(MAX_DEPTH), {"name": "\ud800"}, {"\ud800": 1}, {"steps": 10**4000}]
)
def test_a_recipe_that_cannot_be_stored_is_refused(trainer: Client, field: str, value: object) -> None:
    body = json.dumps({"recipe": "fashion-mnist", "data": "toys", field: value}).encode()
    assert trainer.error("POST", "/v1/training-jobs", content=body, headers=JSON)[0] == 400


@pytest.mark.parametrize("garbage", ["%ED%A0%80", "%FF", "%00", "a%0Ab", "%F0%9F%91%9F" * 400])
@pytest.mark.parametrize(
    "url", ["/v1/models/", "/v1/datasets/", "/v1/jobs/", "/v1/objects/", "/v1/training-jobs/"]
)
def test_garbage_in_a_path_is_refused(trainer: Client, url: str, garbage: str) -> None:
    assert trainer.error("GET", url + garbage)[0] in (400, 403, 404)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**90, max_value=10**110)
    | st.floats()
    | st.text(st.characters(categories=["L", "N", "Cs", "Cc"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
ROUTES = {
    "/v1/jobs": ("model", "count", "seed", "attributes", "items", "finish", "output", "upload", "priority"),
    "/v1/prompts": ("model", "prompt"),
    "/v1/training-jobs": ("recipe", "settings", "data", "from", "name", "nodes", "min_nodes"),
    "/v1/preparation-jobs": ("data", "name", "size", "drop", "cutter", "merge"),
    "/v1/evaluation-jobs": ("data", "model", "count", "resize"),
    "/v1/datasets/toys": ("listing", "summary"),
    "/v1/uploads/missing": ("ids",),
    "/v1/models/shoes/aliases/production": ("version", "force"),
}
VALID = {"model": "shoes", "recipe": "fashion-mnist", "data": "toys", "version": "0", "listing": "0" * 64}


def test_a_refusal_repeats_no_more_than_a_part_of_its_request(client: Client) -> None:
    status, error = client.error(
        "POST", "/v1/jobs", json={"model": "shoes", "finish": {"background": "x" * 10**5}}
    )
    assert (status, error["param"]) == (400, "finish.background")
    assert len(error["message"]) < 1100


@pytest.fixture
def dataset(trainer: Client) -> None:
    """Create the data set ``toys``, of a single file that is not there to be trained on."""
    chunk = trainer.post("/v1/uploads", content=b"picture").json()["id"]
    files = json.dumps({"path": "bag/1.png", "bytes": 7, "chunks": [chunk]}).encode()
    listing = trainer.post("/v1/uploads", content=files).json()["id"]
    counts = {"category": {"values": {"bag": 400, "shoe": 300}, "unknown": 0}}
    summary = {"kind": "folder", "images": {"train": 500, "test": 200}, "size": [32, 32], "channels": 3}
    new = {"listing": listing, "summary": {**summary, "attributes": counts}}
    assert trainer.post("/v1/datasets/toys", json=new).status_code == 201


@settings(max_examples=300)
@given(data=st.data())
def test_no_json_body_makes_the_gateway_fail(trainer: Client, dataset: None, data: st.DataObject) -> None:
    url = data.draw(st.sampled_from([*ROUTES]))
    fields = data.draw(st.dictionaries(st.sampled_from(ROUTES[url]), VALUES, max_size=3))
    body = {name: VALID[name] for name in ROUTES[url] if name in VALID} | fields
    answer = trainer.post(url, content=json.dumps(body).encode(), headers=JSON)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert set(answer.json()["error"]) == {"type", "code", "message", "param"}


@settings(max_examples=100)
@given(rows=st.lists(st.dictionaries(st.sampled_from(["sku", "count", "category", "x"]), VALUES), max_size=3))
def test_no_uploaded_row_makes_the_gateway_fail(trainer: Client, rows: list[dict[str, Any]]) -> None:
    lines = "\n".join(map(json.dumps, rows)) or "{"
    upload = trainer.post("/v1/uploads", content=lines.encode()).json()["id"]
    answer = trainer.post("/v1/jobs", json={"model": "shoes", "upload": upload})
    assert answer.status_code < 500, answer.text


@contextmanager
def stalled(client: Client, path: str = "/v1/uploads", length: int = 1000) -> Iterator[socket.socket]:
    """Send the head of a request and a part of its body, and leave the connection open."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {client.headers['Authorization']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=60) as sender:
        sender.sendall(head.encode() + b'{"')
        yield sender


def answered(sender: socket.socket) -> tuple[int, dict[str, str]]:
    """Return the status and the error that a stalled request receives before its connection is closed."""
    received = b""
    while piece := sender.recv(65536):
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]


def connect(gateway: Gateway, sent: bytes) -> socket.socket:
    """Return a connection to the gateway that has sent ``sent`` and whose client has small buffers."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(60)
    connection.connect(("127.0.0.1", int(gateway.settings.public_url.rpartition(":")[2])))
    connection.sendall(sent)
    return connection


def is_dropped(connection: socket.socket) -> bool:
    """Wait up to 60 s until the gateway drops the connection, without reading from it."""
    poller = select.poll()
    poller.register(connection, select.POLLRDHUP)
    return bool(poller.poll(60_000))


HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize("sent", [b"", HEAD[:9], HEAD, HEAD + b"\r\n" + HEAD[:9]])
def test_a_head_that_never_ends_is_dropped(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(protocol, "CHECK_SECONDS", 0.05)
    with connect(gateway, sent) as connection:
        assert is_dropped(connection)


@pytest.fixture
def large_download(gateway: Gateway) -> tuple[bytes, int]:
    """Return a request for an object that is larger than the buffers of a connection, and its size."""
    size = 32 << 20
    gateway.store.put("tenants/acme/uploads/large", bytes(size))
    url = gateway.store.link("tenants/acme/uploads/large", 60, "large")
    return f"GET {url.removeprefix(gateway.settings.public_url)} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), size


def test_a_client_that_never_reads_its_answer_is_dropped(
    gateway: Gateway, large_download: tuple[bytes, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(protocol, "CHECK_SECONDS", 0.05)
    with connect(gateway, large_download[0]) as connection:
        assert is_dropped(connection)


def test_a_client_that_reads_slowly_gets_its_whole_answer(
    gateway: Gateway, large_download: tuple[bytes, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "ANSWER_SECONDS", 2.0)
    monkeypatch.setattr(protocol, "CHECK_SECONDS", 0.01)
    request, size = large_download
    with connect(gateway, request) as connection:
        received = 0
        while received < size:
            piece = connection.recv(4096)
            assert piece, "the gateway dropped the connection"
            received += len(piece)
            if received % (size // 50) < len(piece):
                time.sleep(0.05)


@pytest.mark.parametrize("path", ["/v1/uploads", "/v1/jobs"])
def test_a_body_that_stalls_is_given_up(client: Client, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(middleware, "IDLE_SECONDS", 1.0)
    with stalled(client, path) as sender:
        status, error = answered(sender)
    assert (status, error["code"]) == (408, "timeout")
    assert error["message"] == "the body paused for 1 seconds; send the request again"


@pytest.mark.parametrize("path", ["/v1/uploads", "/v1/jobs"])
def test_a_body_that_trickles_is_given_up(client: Client, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(middleware, "UPLOAD_SECONDS", 1.0)
    monkeypatch.setattr(middleware, "JSON_SECONDS", 1.0)
    with stalled(client, path) as sender:
        sender.sendall(b" ")
        status, error = answered(sender)
    assert (status, error["message"]) == (408, "the body took more than 1 seconds; send the request again")


def test_uploads_that_stall_lock_out_no_other_tenant(
    client: Client, stranger: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "WAIT_SECONDS", 0.5)
    monkeypatch.setattr(middleware, "IDLE_SECONDS", 60.0)
    with ExitStack() as stack:
        senders = [stack.enter_context(stalled(client)) for _ in range(UPLOADS_PER_TENANT + 4)]
        wait_until(lambda: len(select.select(senders, (), (), 0)[0]) == 4, "no slot is taken")
        refused = select.select(senders, (), (), 0)[0]
        assert [answered(sender)[0] for sender in refused] == [503] * 4
        status, error = client.error("POST", "/v1/uploads", content=ORDER)
        assert (status, error["code"]) == (503, "unavailable")
        assert error["message"].startswith("4 uploads of yours are in progress, and one tenant may have no")
        assert stranger.post("/v1/uploads", content=ORDER).status_code == 201
        assert client.get("/v1/jobs").status_code == 200
        monkeypatch.setattr(middleware, "IDLE_SECONDS", 0.1)
        for sender in {*senders} - {*refused}:
            sender.sendall(b" ")  # the wait for the next byte has the new limit
            assert answered(sender)[0] == 408
    assert client.post("/v1/uploads", content=ORDER).status_code == 201


def test_an_upload_waits_for_one_that_ends(client: Client, gateway: Gateway) -> None:
    with ExitStack() as stack:
        for _ in range(UPLOADS_PER_TENANT):
            sender = stack.enter_context(stalled(client, length=3))
        slots = gateway.app.state.deployment.upload_slots[client.tenant]
        wait_until(lambda: slots.value == 0, "no slot is taken")
        stack.callback(sender.close)
        sender.sendall(b"}")
        assert client.post("/v1/uploads", content=ORDER).status_code == 201
