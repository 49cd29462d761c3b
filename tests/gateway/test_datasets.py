"""A catalogue is pushed once, even if the push breaks off, and belongs to one tenant."""

import hashlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from typer.testing import CliRunner

from prodgen import tenants
from prodgen.catalog.catalogue import digest
from prodgen.catalog.formats import open_catalogue
from prodgen.cli.data import app
from prodgen.client import Client as Service
from prodgen.datasets.fetch import fetch_dataset
from prodgen.datasets.push import push
from prodgen.datasets.summary import summarise
from prodgen.datasets.versions import dataset_lock, datasets, resolve_dataset
from prodgen.errors import NotFound, ProdgenError
from prodgen.ledger.roster import Roster
from prodgen.storage import keys
from prodgen.storage.local import LocalStore
from prodgen.tenants import set_grant
from tests.datasets.folders import FILES, KINDS, pictures, prepared
from tests.gateway.running import Client, Gateway
from tests.servers.process import wait_until
from tests.servers.up import PRODGEN
from tests.toys import write_catalogue

SUMMARY = {
    "kind": "idx",
    "images": {"train": 3},
    "size": [8, 8],
    "channels": 1,
    "attributes": {"category": {"values": {"bag": 3}, "unknown": 0}},
}


@pytest.fixture
def client(gateway: Gateway, client: Client) -> Iterator[Client]:
    """Return a client with a key that may train."""
    with gateway.client(client.tenant, ["train"]) as trainer:
        yield trainer


@pytest.fixture
def environment(client: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Let commands call the gateway as this client, and return the environment for child processes."""
    named = {
        "PRODGEN_URL": gateway.settings.public_url,
        "PRODGEN_API_KEY": client.key,
    }
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    return {**os.environ, **named}


def run(*arguments: object) -> str:
    """Run ``prodgen data``, and return its output. Raises the exceptions of the command."""
    done = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def pushed(folder: Path, *options: object) -> dict[str, Any]:
    """Run ``prodgen data push --json``, and return the parsed output."""
    done = CliRunner().invoke(
        app, ["push", str(folder), "--json", *map(str, options)], catch_exceptions=False
    )
    assert done.exit_code == 0
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def uploads(store: LocalStore, client: Client) -> dict[str, int]:
    """Return the size of each of the client's uploads, by key."""
    return {info.key: info.size for info in store.list(keys.uploads(client.tenant))}


def upload(client: Client, *files: dict[str, Any]) -> str:
    """Upload a list of files, and return its digest."""
    data = b"".join(json.dumps(file).encode() + b"\n" for file in files)
    return str(client.post("/v1/uploads", content=data).json()["id"])


def chunk(client: Client, data: bytes) -> str:
    """Upload bytes, and return their digest."""
    return str(client.post("/v1/uploads", content=data).json()["id"])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_pushed_can_be_trained_on(
    kind: str, environment: dict[str, str], client: Client, store: LocalStore, tmp_path: Path
) -> None:
    source = KINDS[kind](tmp_path / "source")
    said = pushed(source, "--name", "shop")
    assert said["files"] == len(FILES[kind])
    assert said["sent"] <= said["bytes"]
    dataset = resolve_dataset(store, client.tenant, "shop")
    assert said["id"] == dataset.id
    folder = fetch_dataset(store, dataset, tmp_path / "cache")
    assert digest(open_catalogue(folder)) == digest(open_catalogue(source))
    assert client.get("/v1/datasets/shop").json() == {k: v for k, v in said.items() if k != "sent"}
    assert client.get(f"/v1/datasets/{said['id']}").json()["summary"] == dataset.summary.model_dump(
        mode="json"
    )


def test_pushed_again_nothing_is_sent(
    environment: dict[str, str], client: Client, store: LocalStore, tmp_path: Path
) -> None:
    folder = pictures(tmp_path / "Läden [2026]")
    first = pushed(folder)
    assert (first["name"], first["sent"]) == ("Laden-2026", first["bytes"])
    there = uploads(store, client)
    again = pushed(folder)
    assert (again["id"], again["sent"]) == (first["id"], 0)
    assert pushed(folder, "--name", "other")["sent"] == 0
    assert uploads(store, client) == there
    assert f"{first['id']}: 12 + 12 images, " in run("push", folder)
    assert run("push", folder).strip().endswith("0 bytes sent, all of it was there")


def test_a_list_that_names_one_chunk_again_and_again_is_refused(client: Client, store: LocalStore) -> None:
    part = chunk(client, b"x" * (32 << 20))
    listing = upload(client, {"path": "many", "bytes": 2000 * (32 << 20), "chunks": [part] * 2000})
    summary = {"kind": "folder", "images": {"train": 2}, "size": [64, 64], "channels": 3, "attributes": {}}
    status, error = client.error("POST", "/v1/datasets/many", json={"listing": listing, "summary": summary})
    assert (status, error["param"]) == (400, "listing")
    assert (
        "the files have 67.1 GB in all; the nodes of this deployment keep at most 53.7 GB" in error["message"]
    )
    assert client.get("/v1/datasets").json()["data"] == []


def test_all_data_sets_of_a_tenant_fit_into_what_it_may_have(
    client: Client, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenants, "CACHE_SECONDS", 0.0)
    set_grant(store, client.tenant, data_mb=2)
    summary = {"kind": "folder", "images": {"train": 2}, "size": [64, 64], "channels": 3, "attributes": {}}

    def create(name: str, letter: bytes) -> httpx.Response:
        part = chunk(client, letter * (1 << 20))
        listing = upload(client, {"path": "a.png", "bytes": 1 << 20, "chunks": [part]})
        return client.post(f"/v1/datasets/{name}", json={"listing": listing, "summary": summary})

    assert [create(name, name[:1].encode()).status_code for name in ("a", "b", "a-again")] == [201] * 3
    refused = create("c", b"c")
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "listing")
    assert refused.json()["error"]["message"].startswith("your data sets would have 3 MB together")
    client.delete("/v1/datasets/b")
    assert create("c", b"c").status_code == 201


def test_only_the_changes_of_a_folder_are_sent(environment: dict[str, str], tmp_path: Path) -> None:
    folder = pictures(tmp_path / "shop")
    first = pushed(folder)
    picture = folder / "train" / "bag" / "0.png"
    Image.new("RGB", (20, 30), "red").save(picture)
    second = pushed(folder)
    assert second["sent"] == picture.stat().st_size
    assert second["version"] != first["version"]
    Image.new("RGB", (20, 30), "blue").save(picture)
    assert "bytes sent, the rest was there" in run("push", folder)


def test_a_large_file_goes_up_in_chunks_and_only_the_changed_one_again(
    environment: dict[str, str], client: Client, store: LocalStore, tmp_path: Path
) -> None:
    folder = write_catalogue(tmp_path / "large", count=10_240, size=64)
    images = folder / "train-images-idx3-ubyte"
    assert pushed(folder)["bytes"] > 80 << 20
    assert max(uploads(store, client).values()) == 32 << 20
    with images.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\7")
    assert pushed(folder)["sent"] == images.stat().st_size - (32 << 20)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_push_that_broke_off_goes_on_where_it_was(
    environment: dict[str, str], client: Client, store: LocalStore, tmp_path: Path, end: signal.Signals
) -> None:
    folder = pictures(tmp_path / "shop", 150)
    pushing = subprocess.Popen([str(PRODGEN), "data", "push", str(folder)], env=environment)
    wait_until(lambda: len(uploads(store, client)) > 20, "nothing is sent")
    pushing.send_signal(end)
    assert pushing.wait(timeout=60) == (130 if end == signal.SIGINT else -end)
    with pytest.raises(NotFound):
        resolve_dataset(store, client.tenant, "shop")
    said = pushed(folder)
    assert 0 < said["sent"] < said["bytes"] - 20 * 1000
    assert said["summary"]["images"] == {"train": 300, "test": 300}


def test_what_cannot_be_trained_on_is_refused_before_anything_is_sent(
    environment: dict[str, str], client: Client, store: LocalStore, tmp_path: Path
) -> None:
    folder = prepared(tmp_path / "shop")
    (folder / "train.jsonl").write_text("no rows")
    with pytest.raises(ProdgenError, match="cannot be read"):
        run("push", folder)
    with pytest.raises(NotFound, match="there is no folder"):
        run("push", tmp_path / "nowhere")
    with pytest.raises(ProdgenError, match="not a valid name"):
        run("push", folder, "--name", "a/b")
    with pytest.raises(ProdgenError, match="choose one with --name"):
        run("push", prepared(tmp_path / "日本"))
    assert uploads(store, client) == {}


def test_a_file_that_changes_meanwhile_makes_no_data_set(
    environment: dict[str, str], client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prodgen import client as module

    folder = prepared(tmp_path / "shop")
    missing = module.Client.missing

    def meanwhile(self: module.Client, digests: list[str]) -> set[str]:
        (folder / "train.jsonl").write_text("changed")
        return missing(self, digests)

    monkeypatch.setattr(module.Client, "missing", meanwhile)
    with pytest.raises(ProdgenError, match=r"train\.jsonl changed while it was sent; push again"):
        run("push", folder)
    assert client.get("/v1/datasets").json()["data"] == []


def test_data_sets_are_listed_for_people_and_programs(
    environment: dict[str, str], client: Client, tmp_path: Path
) -> None:
    assert json.loads(run("list", "--json")) == []
    ids = [pushed(make(tmp_path / make.__name__))["id"] for make in (pictures, prepared)]
    assert [dataset["id"] for dataset in json.loads(run("list", "--json"))] == ids[::-1]
    said = run("list")
    assert all(id in said for id in ids)
    body = client.get("/v1/datasets").json()
    assert (body["object"], body["next"], len(body["data"])) == ("list", None, 2)


def test_another_tenants_data_is_not_found(
    environment: dict[str, str], gateway: Gateway, stranger: Client, tmp_path: Path
) -> None:
    said = pushed(prepared(tmp_path / "shop"))
    with gateway.client(stranger.tenant, ["train"]) as other:
        for ref in ("shop", said["id"]):
            status, error = other.error("GET", f"/v1/datasets/{ref}")
            assert (status, error["message"]) == (
                404,
                "there is no data set 'shop'; none has been pushed yet",
            )
        assert other.get("/v1/datasets").json()["data"] == []
        data = hashlib.sha256((tmp_path / "shop" / "train.npy").read_bytes()).hexdigest()
        assert other.post("/v1/uploads/missing", json={"ids": [data]}).json() == {"missing": [data]}
        listing = upload(other, {"path": "train.npy", "bytes": 8320, "chunks": [data]})
        body = {"listing": listing, "summary": SUMMARY}
        status, error = other.error("POST", "/v1/datasets/mine", json=body)
        assert (status, error["code"]) == (409, "conflict")


def test_a_key_without_the_scope_sees_and_makes_nothing(gateway: Gateway) -> None:
    with gateway.client("orderers", ["generate", "promote"]) as orderer:
        for method, url in (("GET", ""), ("GET", "/shop"), ("POST", "/shop"), ("DELETE", "/shop")):
            status, error = orderer.error(method, f"/v1/datasets{url}", json={})
            assert (status, error["code"]) == (403, "forbidden")
            assert "scope train" in error["message"]


def test_only_what_is_whole_becomes_a_data_set(client: Client, store: LocalStore) -> None:
    there, absent = chunk(client, b"there"), hashlib.sha256(b"absent").hexdigest()
    body = {"listing": absent, "summary": SUMMARY}
    status, error = client.error("POST", "/v1/datasets/shop", json=body)
    assert (status, error["param"]) == (404, "listing")
    body["listing"] = upload(
        client, {"path": "a", "bytes": 5, "chunks": [there]}, {"path": "b", "bytes": 6, "chunks": [absent]}
    )
    status, error = client.error("POST", "/v1/datasets/shop", json=body)
    assert (status, error["message"].partition(";")[0]) == (409, "1 of the 2 chunks are not in the store")
    assert client.post("/v1/uploads/missing", json={"ids": [there, absent]}).json() == {"missing": [absent]}
    body["listing"] = upload(client, {"path": "a", "bytes": 6, "chunks": [there]})
    status, error = client.error("POST", "/v1/datasets/shop", json=body)
    assert (status, error["message"]) == (400, "a has not 6 bytes, as the list says")
    assert list(store.list(keys.datasets(client.tenant))) == []
    chunk(client, b"absent")
    body["listing"] = upload(client, {"path": "b", "bytes": 6, "chunks": [absent]})
    assert client.post("/v1/datasets/shop", json=body).status_code == 201


@pytest.mark.parametrize("path", ["/etc/passwd", "../a", ".hidden", "a\\b", "a\nb", "", "x" * 600])
def test_a_path_that_leads_elsewhere_is_refused(client: Client, path: str) -> None:
    listing = upload(client, {"path": path, "bytes": 5, "chunks": [chunk(client, b"there")]})
    body = {"listing": listing, "summary": SUMMARY}
    status, error = client.error("POST", "/v1/datasets/shop", json=body)
    assert (status, error["param"]) == (400, "listing")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"listing": "abc"}, "listing"),
        ({"listing": "../../system/keys.json"}, "listing"),
        ({"summary": None}, "summary"),
        ({"summary": SUMMARY | {"kind": "zip"}}, "summary.kind"),
        ({"summary": SUMMARY | {"images": {"test": 3}}}, "summary"),
        ({"summary": SUMMARY | {"images": {"train": 0}}}, "summary.images.train"),
        ({"summary": SUMMARY | {"images": {"all": 3}}}, "summary.images.all"),
        ({"summary": SUMMARY | {"channels": 2}}, "summary.channels"),
        ({"summary": SUMMARY | {"size": [8]}}, "summary.size.2"),
        ({"summary": SUMMARY | {"attributes": {"hue": ["red"]}}}, "summary.attributes.hue"),
        ({"summary": SUMMARY | {"owner": "me"}}, "summary.owner"),
        ({"files": {}}, "files"),
    ],
)
def test_a_body_that_means_nothing_is_refused(client: Client, change: dict[str, Any], param: str) -> None:
    body = {"listing": "0" * 64, "summary": SUMMARY} | change
    status, error = client.error("POST", "/v1/datasets/shop", json=body)
    assert status == 400
    assert (error["param"] or "").startswith(param)


@pytest.mark.parametrize("name", ["a@b", "..%2Fa", "%2e%2e", "x" * 129, "-a"])
def test_a_name_is_nothing_but_a_name(client: Client, store: LocalStore, name: str) -> None:
    listing = upload(client, {"path": "a", "bytes": 5, "chunks": [chunk(client, b"there")]})
    response = client.post(f"/v1/datasets/{name}", json={"listing": listing, "summary": SUMMARY})
    assert response.status_code in (400, 404, 405)
    assert list(store.list(keys.datasets(client.tenant))) == []


def test_one_request_asks_for_a_bounded_number_of_uploads(client: Client) -> None:
    for ids in ([], ["x"], ["0" * 64] * 10_001):
        assert client.error("POST", "/v1/uploads/missing", json={"ids": ids})[0] == 400
    assert client.error("POST", "/v1/datasets/shop", content=b" " * (1 << 20) + b"{}")[0] == 413


# Removal


def test_what_is_removed_is_gone_with_what_no_other_needs(
    environment: dict[str, str], client: Client, store: LocalStore, tmp_path: Path
) -> None:
    folder = pictures(tmp_path / "shop")
    first, shared = pushed(folder), pushed(folder, "--name", "other")
    Image.new("RGB", (20, 30), "red").save(folder / "train" / "bag" / "0.png")
    second = pushed(folder)

    body = client.request("DELETE", f"/v1/datasets/{first['id']}").json()
    assert body == {"object": "removal", "removed": [first["id"]], "bytes": 0}
    removed = json.loads(run("remove", "shop", "--json"))
    assert removed["removed"] == [second["id"]]
    assert second["sent"] < removed["bytes"] < second["sent"] + 10_000, "and the list of its files"
    with pytest.raises(ProdgenError, match="there is no data set 'shop'; there are other"):
        run("remove", "shop")
    with pytest.raises(ProdgenError, match="'other@' ends before the version"):
        run("remove", "other@")
    with pytest.raises(ProdgenError):
        run("remove", "other?")
    assert [dataset["id"] for dataset in json.loads(run("list", "--json"))] == [shared["id"]]
    assert run("remove", "other").strip().startswith(f"removed {shared['id']}: ")
    assert list(store.list(f"{keys.TENANTS}{client.tenant}/")) == []
    assert pushed(folder)["sent"] == second["bytes"]


def test_another_tenants_data_cannot_be_removed(
    environment: dict[str, str], gateway: Gateway, stranger: Client, store: LocalStore, tmp_path: Path
) -> None:
    folder = prepared(tmp_path / "shop")
    said = pushed(folder)
    with gateway.client(stranger.tenant, ["train"]) as other:
        for ref in ("shop", said["id"]):
            status, error = other.error("DELETE", f"/v1/datasets/{ref}")
            assert (status, error["code"], error["param"]) == (404, "not_found", "dataset")
        key = other.key
        with Service(gateway.settings.public_url, key) as theirs:
            push(theirs, folder, "shop", summarise(folder, lambda *_: None), lambda *_: None)
    run("remove", "shop")
    assert resolve_dataset(store, stranger.tenant, "shop").id == said["id"]
    assert fetch_dataset(store, resolve_dataset(store, stranger.tenant, "shop"), tmp_path / "cache")


def test_what_a_run_reads_stays_until_the_run_has_ended(
    environment: dict[str, str], gateway: Gateway, client: Client, tmp_path: Path
) -> None:
    toys = write_catalogue(tmp_path / "toys", count=200, size=16)
    read, unread = pushed(toys), pushed(prepared(tmp_path / "shop"), "--name", "toys")
    Roster(gateway.ledger).heartbeat("n1", "10.0.0.1", 1)
    recipe = {"name": "toy", "family": "resnet", "widths": [16, 8], "latent_dim": 16, "batch": 16}
    body = {"recipe": {**recipe, "steps": 100}, "data": read["id"]}
    runs = [client.post("/v1/training-jobs", json=body).json()["id"] for _ in range(2)]
    client.post(f"/v1/training-jobs/{runs[0]}/pause")

    def refused(ref: str, run: str, state: str) -> bool:
        status, error = client.error("DELETE", f"/v1/datasets/{ref}")
        sentence = f"run {run} is {state} and reads {read['id']}; cancel it, or wait for its end"
        return (status, error["message"]) == (409, sentence)

    assert refused("toys", runs[1], "queued")
    client.post(f"/v1/training-jobs/{runs[1]}/cancel")
    assert refused(read["id"], runs[0], "paused")
    with pytest.raises(ProdgenError, match="is paused and reads"):
        run("remove", "toys")
    assert json.loads(run("remove", unread["id"], "--json"))["removed"] == [unread["id"]]
    client.post(f"/v1/training-jobs/{runs[0]}/cancel")
    assert json.loads(run("remove", "toys", "--json"))["removed"] == [read["id"]]


def test_nothing_is_removed_while_the_roster_may_have_forgotten_runs(
    environment: dict[str, str], gateway: Gateway, client: Client, tmp_path: Path
) -> None:
    pushed(prepared(tmp_path / "shop"))
    gateway.ledger.client.set("prodgen:server", "another process")
    status, error = client.error("DELETE", "/v1/datasets/shop")
    assert (status, "being rebuilt" in error["message"]) == (503, True)
    wait_until(lambda: not gateway.ledger.server_restarted(), "the gateway did not restore the roster")
    assert client.request("DELETE", "/v1/datasets/shop").status_code == 200


def test_one_at_a_time_makes_or_removes(
    environment: dict[str, str], gateway: Gateway, client: Client, tmp_path: Path
) -> None:
    pushed(prepared(tmp_path / "shop"))
    with dataset_lock(gateway.ledger, client.tenant):
        status, error = client.error("DELETE", "/v1/datasets/shop")
    assert (status, error["code"]) == (503, "unavailable")
    assert "another data set of yours is just being made or removed" in error["message"]


def test_a_push_during_a_removal_is_complete_or_refused(
    environment: dict[str, str], gateway: Gateway, client: Client, store: LocalStore, tmp_path: Path
) -> None:
    folder = pictures(tmp_path / "shop", 30)
    summary, outcomes = summarise(folder, lambda *_: None), list[str]()

    def at(act: Callable[[Service], object], turns: Iterable[object]) -> threading.Thread:
        def work() -> None:
            key = environment["PRODGEN_API_KEY"]
            with Service(gateway.settings.public_url, key) as service:
                service.missing(["0" * 64])  # the client retries once the gateway has answered
                for _ in turns:
                    try:
                        act(service)
                    except ProdgenError as error:
                        outcomes.append(str(error))
                    else:
                        outcomes.append("done")

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    names = ("one", "two")
    pushing = [at(lambda s, n=name: push(s, folder, n, summary, lambda *_: None), range(4)) for name in names]
    until_the_end = iter(lambda: any(thread.is_alive() for thread in pushing), False)
    removing = [at(lambda s, n=name: s.delete_dataset(n), until_the_end) for name in names]
    for thread in [*pushing, *removing]:
        thread.join()
    sentences = {sentence for sentence in outcomes if "there is no data set" not in sentence}
    assert "done" in sentences
    assert all("or push again" in sentence for sentence in sentences - {"done"}), sentences
    for dataset in datasets(store, client.tenant):
        assert fetch_dataset(store, dataset, tmp_path / dataset.name)
    for name in names:
        assert pushed(folder, "--name", name)["name"] == name
        assert fetch_dataset(store, resolve_dataset(store, client.tenant, name), tmp_path / "again")
        run("remove", name)
    assert uploads(store, client) == {}
