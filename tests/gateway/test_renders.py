"""An image by its address is made once, kept, and costs no more than its tenant may spend."""

import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from prodgen.client import Client as PythonClient
from prodgen.jobs.renders import cache_key, trim_renders
from prodgen.jobs.usage import record_renders
from prodgen.ledger.renders import Asked, Renders
from prodgen.registry.publish import publish
from prodgen.spec.formula import Formula
from prodgen.storage import keys
from prodgen.storage.links import sign_path
from prodgen.storage.local import LocalStore
from prodgen.tenants import set_grant
from tests.gateway.running import Client, Gateway
from tests.sample_models import write_model
from tests.servers.process import wait_until


class Worker:
    """Makes each image that is asked for: its bytes are the formula. ``made`` lists them."""

    def __init__(self, gateway: Gateway) -> None:
        self._store, self._renders = gateway.store, Renders(gateway.ledger)
        self.made: list[Asked] = []
        self.error = ""

    @contextmanager
    def running(self) -> Iterator["Worker"]:
        stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(stop,))
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join()

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(0.01):
            for asked in self._renders.take("w", 8):
                self.made.append(asked)
                if not self.error:
                    self._store.put(cache_key(asked), asked.formula.model_dump_json().encode())
                self._renders.end(asked, 100, self.error)


@pytest.fixture
def worker(gateway: Gateway) -> Iterator[Worker]:
    with Worker(gateway).running() as worker:
        yield worker


@pytest.fixture
def address(client: Client) -> str:
    version = client.get("/v1/models/shoes").json()["version"]
    return f"/v1/render/shoes@{version}/7/3.png?category=bag&size=64"


def test_an_image_is_made_once_and_then_comes_from_the_store(
    client: Client, worker: Worker, address: str, gateway: Gateway
) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.get(address), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(worker.made) == 1, "callers at the same time share one image"
    answer, *_ = [one for one in answers if one.headers["Cache-Status"] == "prodgen; fwd=miss; stored"]
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Prodgen-Attributes"].startswith("category=bag")
    tag = {"If-None-Match": answer.headers["ETag"]}
    assert client.get(address, headers=tag).status_code == 304
    part = client.get(address, headers={"Range": "bytes=2-5", "If-Range": answer.headers["ETag"]})
    assert (part.status_code, part.content) == (206, answer.content[2:6])
    assert client.head(address).headers["Content-Length"] == str(len(answer.content))
    other_words = address.replace("category=bag&size=64", "size=64&category=Bag")
    assert client.get(other_words).headers["ETag"] == answer.headers["ETag"]
    assert len(worker.made) == 1
    assert client.get("/v1/jobs").json()["data"] == [], "an address leaves no order"
    assert client.get(address).headers["Cache-Status"] == "prodgen; hit"
    counted = 'prodgen_renders_total{cache="hit"}'
    wait_until(lambda: counted in client.get("/metrics").text, "the hit is not counted")
    keys_of_renders = gateway.ledger.client.scan_iter
    wait_until(lambda: not any(client.tenant in str(key) for key in keys_of_renders("*render*")), "keys stay")


def test_a_name_leads_to_the_version_of_now(client: Client, worker: Worker, address: str) -> None:
    answer = client.get("/v1/render/shoes/7/3.png?size=64&category=bag")
    assert (answer.status_code, answer.headers["Location"]) == (307, address)
    assert answer.headers["Cache-Control"] == "no-cache"


def test_a_signed_address_needs_no_key_and_gives_that_image_alone(
    client: Client, worker: Worker, address: str, anyone: httpx.Client, gateway: Gateway
) -> None:
    with PythonClient(gateway.settings.public_url, client.key) as python:
        url = python.render_url("shoes", 7, 3, category="bag", size=64)
        brief = python.render_url("shoes", 7, 3, seconds=1000, category="bag", size=64)
        assert python.render("shoes", 7, 3, category="bag", size=64) == client.get(address).content
    answer = anyone.get(url)
    assert (answer.status_code, answer.content) == (200, client.get(address).content)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    kept = re.fullmatch(r"public, max-age=(\d+), immutable", anyone.get(brief).headers["Cache-Control"])
    assert kept
    assert 500 < int(kept[1]) <= 1000
    past, path = {"size": "64", "tenant": client.tenant, "expires": "1"}, address.partition("?")[0]
    past["signature"] = sign_path(gateway.settings.secret_key.get_secret_value(), path, past)
    expired = anyone.get(gateway.settings.public_url + path, params=past)
    assert (expired.status_code, "has expired" in expired.text) == (403, True)
    for wrong in (url.replace("size=64", "size=65"), url.replace("/3.png", "/4.png"), brief[:-1]):
        assert anyone.get(wrong).status_code == 403
    assert anyone.get(gateway.settings.public_url + address).status_code == 401
    for wrong in ("//[host/v1/render", f"http://host{address}"):
        status, error = client.error("POST", "/v1/render", json={"addresses": [wrong]})
        assert (status, error["param"]) == (400, "addresses")


def test_a_model_may_have_an_attribute_that_is_named_like_a_parameter(
    client: Client, worker: Worker, anyone: httpx.Client, gateway: Gateway, tmp_path: Path
) -> None:
    sizes = {"name": "size", "values": ["M", "L"], "frequencies": [0.5, 0.5]}
    folder = write_model(tmp_path / "sized", attributes={"attributes": [sizes]})
    publish(gateway.store, folder, "sized", client.tenant)
    found = client.get("/v1/render/sized/7/3.png?size=64&attribute.size=L", follow_redirects=True).json()
    assert (found["attributes"], found["finish"]["size"]) == ({"size": "L"}, 64)
    with PythonClient(gateway.settings.public_url, client.key) as python:
        (url,) = python.render_urls(["/v1/render/sized/7/4.png"])
    assert anyone.get(url).json()["finish"]["size"] is None


@pytest.mark.usefixtures("one_day")
def test_a_mix_and_a_morph_have_addresses_and_count_as_their_images(
    client: Client, worker: Worker, address: str, gateway: Gateway
) -> None:
    mixed = client.get(f"{address}&mix=9/5&mix.category=sneaker&share=0.25").json()
    assert mixed["mix"] == {
        "seed": 9,
        "draw": 5,
        "attempt": 0,
        "attributes": {"category": "sneaker"},
        "share": 0.25,
    }
    loop = address.replace(".png", ".gif") + "&steps=8&mix=9/5/1"
    set_grant(gateway.app.state.deployment.store, client.tenant, images_per_day=8)
    assert client.error("GET", loop)[1]["param"] == "images_per_day"
    set_grant(gateway.app.state.deployment.store, client.tenant, images_per_day=9)
    answer = client.get(loop)
    assert answer.headers["Content-Type"] == "image/gif"
    made = Formula.model_validate_json(answer.content)
    assert made.path == loop, "the address is already in the one form that equal formulas have"
    assert [image.mix.share for image in made.images() if image.mix] == [k / 7 for k in range(8)]
    plain = Formula.model_validate({**made.model_dump(), "mix": None, "steps": None, "format": "png"})
    assert plain.model_dump().keys() == {
        *("model", "seed", "index", "format", "attributes", "truncation", "finish")
    }, "digests of plain images stay those of earlier versions"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ("category=boat", "attributes.category"),
        ("size=9999", "size"),
        ("size=64&size=65", "size"),
        ("colour=red", "attributes.colour"),
        ("mix=9", "mix"),
        ("share=0.5", "mix"),
        ("mix=9/5&share=2", "mix.share"),
        ("mix=9/5&share=0.5&steps=8", "share"),
        ("mix=9/5&mix.category=boat", "attributes.category"),
        ("mix=9/5&steps=32&size=1024", "steps"),
        ("strength=0.5", "picture"),
        ("picture=7", "picture.sha256"),
        (f"picture={'0' * 64}", "picture.category"),
        (f"picture={'0' * 64}&picture.category=bag&strength=2", "picture.strength"),
        (f"picture={'0' * 64}&picture.category=bag", "picture"),
    ],
)
def test_an_address_that_no_image_has_is_refused(
    client: Client, address: str, change: str, param: str
) -> None:
    status, error = client.error("GET", f"{address.partition('?')[0]}?{change}")
    assert status == 400
    assert param in error["param"]


def test_an_image_that_cannot_be_made_says_why(client: Client, worker: Worker, address: str) -> None:
    worker.error = "the device is on fire"
    _, error = client.error("GET", address)
    assert error["message"] == "the image cannot be made: the device is on fire"


def test_a_tenant_has_a_limited_number_of_waiting_images(
    client: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr("prodgen.ledger.renders.MOST_WAITING", 1)
    monkeypatch.setattr("prodgen.ledger.renders.WAIT_SECONDS", 600)
    before = gateway.ledger.backlog("interactive").images
    monkeypatch.setattr("api_gateway.routes.renders.WAIT_SECONDS", 0.1)
    status, error = client.error("GET", address)
    assert (status, error["code"]) == (503, "unavailable")
    assert gateway.ledger.backlog("interactive").images == before + 1, "workers are scaled by what waits"
    assert client.get(address.replace("/3.png", "/4.png")).status_code == 429
    assert len(Renders(gateway.ledger).take("w", 5)) == 1
    assert gateway.ledger.backlog("interactive").images == before


def test_images_are_begun_together_before_they_are_asked_for(
    client: Client, gateway: Gateway, address: str
) -> None:
    with PythonClient(gateway.settings.public_url, client.key) as python:
        addresses = [address.replace("/3.png", f"/{index}.png") for index in (4, 5, 4)]
        assert len(python.render_urls(addresses, begin=True)) == 3
        assert [asked.formula.index for asked in Renders(gateway.ledger).take("w", 5)] == [4, 5]
        python.render_urls(addresses, begin=True)
    assert Renders(gateway.ledger).take("w", 5) == [], "what is being made is not begun again"


def test_an_image_is_not_made_if_its_client_goes_before_a_worker_takes_it(
    client: Client, gateway: Gateway, address: str
) -> None:
    before = gateway.ledger.backlog("interactive").images
    server = urlsplit(gateway.settings.public_url)
    with socket.create_connection((server.hostname, server.port)) as connection:
        head = f"GET {address} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.key}\r\n\r\n"
        connection.sendall(head.encode())
        wait_until(lambda: gateway.ledger.backlog("interactive").images == before + 1, "nothing is asked for")
    wait_until(lambda: gateway.ledger.backlog("interactive").images == before, "the image still waits")
    assert Renders(gateway.ledger).take("w", 5) == []


@pytest.mark.usefixtures("one_day")
def test_a_new_image_counts_as_one_of_the_day(
    client: Client, worker: Worker, address: str, gateway: Gateway
) -> None:
    set_grant(gateway.app.state.deployment.store, client.tenant, images_per_day=1)
    assert client.get(address).status_code == 200
    status, error = client.error("GET", address.replace("/3.png", "/4.png"))
    assert (status, error["param"]) == (429, "images_per_day")
    assert client.get(address).status_code == 200, "the store gives what it has"


@pytest.mark.usefixtures("one_day")
def test_new_images_are_usage(client: Client, worker: Worker, address: str, gateway: Gateway) -> None:
    def used() -> list[tuple[int, int, int]]:
        record_renders(gateway.store, gateway.ledger)
        return [
            (row["orders"], row["images"], row["bytes"]) for row in client.get("/v1/usage").json()["data"]
        ]

    for index in range(11):
        assert client.get(address.replace("/3.png", f"/{index}.png")).status_code == 200
        assert used() == [(0, index + 1, 100 * (index + 1))]
    client.get(address)
    assert used() == [(0, 11, 1100)]
    assert len([*gateway.store.list(f"tenants/{client.tenant}/usage/")]) == 1


def test_maintenance_keeps_the_newest_images_within_the_budget(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, "secret", "http://unused")
    names = [keys.render("ada", f"07{k:062x}") for k in range(4)]
    for age, name in enumerate([*names, keys.render("bob", "08" + "0" * 62)]):
        store.put(name, bytes(100))
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    assert trim_renders(store, budget=256 * 250, days=1, look=7) == 2
    assert [info.key for info in store.list(keys.renders("ada"))] == names[:2]
    assert trim_renders(store, budget=256 * 250, days=0, look=8) == 1
