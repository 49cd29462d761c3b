"""Runs that cannot succeed are refused before they are queued, and no other tenant sees a run."""

import json
import math
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api_gateway import metrics
from api_gateway.schemas import RunView
from prodgen.cli.gateway import push_folder
from prodgen.client import Client as Service
from prodgen.errors import ProdgenError
from prodgen.ledger.roster import Roster
from prodgen.ledger.run_entries import RunState, RunStatus
from prodgen.registry.publish import publish
from prodgen.runs.files import METRICS, Checkpoint, load_record, load_stop_request
from prodgen.storage import keys
from tests.datasets.folders import pictures, table
from tests.gateway.running import Client, Gateway
from tests.toys import toy_folder, write_catalogue

RUNS = "/v1/training-jobs"
TOY: dict[str, Any] = {"name": "toy", "family": "resnet", "widths": [16, 8], "latent_dim": 16, "batch": 16}
TOY |= {"steps": 100}


@pytest.fixture
def client(gateway: Gateway, client: Client) -> Iterator[Client]:
    """Return a client with a key that may train."""
    with gateway.client(client.tenant, ["train"]) as trainer:
        yield trainer


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalogue(tmp_path_factory.mktemp("data") / "toys", count=200, size=16)


@pytest.fixture
def roster(gateway: Gateway) -> Roster:
    """Return the roster, with a node of four GPUs and a node of two."""
    roster = Roster(gateway.ledger)
    roster.heartbeat("n1", "10.0.0.1", 4)
    roster.heartbeat("n2", "10.0.0.2", 2)
    return roster


@pytest.fixture
def data(client: Client, gateway: Gateway, toys: Path, roster: Roster) -> str:
    key = client.key
    with Service(gateway.settings.public_url, key) as service:
        return str(push_folder(service, toys, quiet=True).dataset["id"])


def ask(client: Client, data: str, /, **changes: Any) -> Any:
    return client.post(RUNS, json={"recipe": TOY, "data": data} | changes)


def test_an_attribute_named_like_a_part_of_orders_is_refused(
    client: Client, data: str, roster: Roster
) -> None:
    listing = client.post("/v1/uploads", content=b'{"path": "1.png", "bytes": 0, "chunks": []}\n').json()[
        "id"
    ]
    summary = {"kind": "folder", "images": {"train": 200}, "size": [64, 64], "channels": 3}
    summary |= {"attributes": {"Count": {"values": {"1": 100, "2": 100}, "unknown": 0}}}
    made = client.post("/v1/datasets/old", json={"listing": listing, "summary": summary})
    assert made.status_code == 201, made.text
    for path, body in ((RUNS, {"recipe": TOY, "data": "old"}), ("/v1/preparation-jobs", {"data": "old"})):
        status, error = client.error("POST", path, json=body)
        assert status == 400
        assert "an attribute cannot be called 'Count'" in error["message"]


def test_a_run_is_queued_listed_and_shown(client: Client, data: str) -> None:
    answer = ask(client, "toys", settings={"steps": 50}, name="mine")
    assert answer.status_code == 202, answer.text
    run = answer.json()
    assert answer.headers["Location"] == f"{RUNS}/{run['id']}"
    assert (run["state"], run["step"], run["steps"], run["data"]) == ("queued", 0, 50, data)
    assert (run["name"], run["recipe"]["steps"], run["recipe"]["loss"]) == ("mine", 50, "hinge")
    assert client.get(f"{RUNS}/{run['id']}").json() == run
    assert [r["id"] for r in client.get(RUNS).json()["data"]] == [run["id"]]
    assert client.get(f"{RUNS}/{run['id']}/samples").json()["data"] == []
    assert client.get(f"{RUNS}/{run['id']}/logs").text == ""


def test_the_same_key_queues_one_run_and_never_another(client: Client, data: str) -> None:
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    body = {"recipe": TOY, "data": data}
    first, again = (client.post(RUNS, json=body, headers=headers) for _ in range(2))
    assert first.json()["id"] == again.json()["id"]
    assert again.headers["Idempotent-Replayed"] == "true"
    other = client.post(RUNS, json={**body, "nodes": 2}, headers=headers)
    assert (other.status_code, other.json()["error"]["param"]) == (409, "Idempotency-Key")


@pytest.mark.parametrize(
    ("changes", "param", "sentence"),
    [
        ({"recipe": "fashion-mnst"}, "recipe", "there is no recipe 'fashion-mnst'; there are"),
        ({"recipe": "/etc/passwd.toml"}, "recipe", "there is no recipe"),
        ({"settings": {"stepz": 5}}, "stepz", "a recipe of resnet has"),
        ({"settings": {"steps": -1}}, "steps", "steps"),
        ({"settings": {"family": "stylegan"}}, "family", "there is no family 'stylegan'"),
        ({"settings": {"batch": 300}}, "batch", "holds 200 images, fewer than a batch of 300"),
        ({"settings": {"batch": 15}, "procs_per_node": 2}, "batch", "cannot be divided among 2"),
        ({"nodes": 2, "min_nodes": 1, "settings": {"batch": 15}}, "batch", "cannot be divided among 2"),
        ({"settings": {"widths": [64, 32, 16, 16, 16, 16]}}, "widths", "do not fit the images"),
        ({"settings": {"freeze": 1}}, "freeze", "start --from a model that has one"),
        ({"settings": {"recolour": 0.5}}, "recolour", "recolour is for cut-outs"),
        ({"settings": {"augment": "saturation"}}, None, "saturation"),
        ({"data": "nobody"}, "dataset", "there is no data set 'nobody'; there are toys"),
        ({"data": "toys@000000000000"}, "dataset", "toys has no version"),
        ({"nodes": 2, "min_nodes": 3}, None, "min_nodes is 3, more than nodes, 2"),
        ({"from": "nobody"}, "model", "there is no model 'nobody'"),
        ({"from": "toy-model"}, "from", "has widths = [16, 8], but the recipe has [32, 16]"),
        ({"name": "../../etc"}, None, "is not a valid name"),
        ({"steps": 5}, "steps", "steps"),
    ],
)
def test_a_training_that_cannot_succeed_is_refused(
    client: Client,
    gateway: Gateway,
    data: str,
    tmp_path: Path,
    changes: dict[str, Any],
    param: str,
    sentence: str,
) -> None:
    if changes.get("from") == "toy-model":
        publish(gateway.store, toy_folder(tmp_path / "toy-model"), "toy-model", client.tenant)
        changes = {**changes, "settings": {"widths": [32, 16], "latent_dim": 12}}
    answer = ask(client, data, **changes)
    error = answer.json()["error"]
    assert answer.status_code in (400, 404), error
    assert sentence in error["message"], error
    if param:
        assert error["param"] == param, error
    assert client.get(RUNS).json()["data"] == []


def test_metrics_tell_how_many_runs_want_how_many_nodes(
    client: Client, data: str, roster: Roster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "SECONDS", 0)
    ask(client, data)
    assignment, _ = roster.claim("n1", 4000) or pytest.fail("nothing to claim")
    text = client.get("/metrics").text
    assert 'prodgen_training_nodes{state="busy"} 1.0' in text
    assert 'prodgen_training_nodes{state="idle"} 1.0' in text
    assert f"prodgen_training_wanting {roster.backlog()}.0" in text
    roster.report(assignment, "n1", "cancelled")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "waits for 1 node with 1 GPU, or without GPUs; 0 are alive"),
        ({"nodes": 2}, "waits for 2 nodes with 1 GPU each, or without GPUs; 0 are alive"),
    ],
)
def test_a_run_without_nodes_is_queued_and_says_what_it_waits_for(
    client: Client, data: str, gateway: Gateway, changes: dict[str, Any], reason: str
) -> None:
    gateway.ledger.client.delete("prodgen:nodes")
    answer = ask(client, data, **changes)
    assert (answer.status_code, answer.json()["state"], answer.json()["reason"]) == (202, "queued", reason)
    assert client.get(f"{RUNS}/{answer.json()['id']}").json()["reason"] == reason
    assert client.get(RUNS).json()["data"][0]["reason"] == reason


def test_a_run_that_can_start_waits_for_nothing(client: Client, data: str) -> None:
    assert ask(client, data).json()["reason"] is None
    assert ask(client, data, procs_per_node=8).json()["reason"] == (
        "waits for 1 node with 8 GPUs, or without GPUs; 0 are alive"
    )


def test_another_tenant_sees_no_run(client: Client, data: str, gateway: Gateway, stranger: Client) -> None:
    run = ask(client, data).json()["id"]
    with gateway.client(stranger.tenant, ["train"]) as other:
        assert "there is no data set" in ask(other, data).json()["error"]["message"]
        assert other.get(RUNS).json()["data"] == []
        for path in ("", "/events", "/samples", "/logs"):
            assert other.get(f"{RUNS}/{run}{path}").status_code == 404, path
        for command in ("cancel", "pause", "resume"):
            assert other.post(f"{RUNS}/{run}/{command}").status_code == 404, command
    assert client.get(f"{RUNS}/{run}").json()["state"] == "queued"


def test_training_needs_its_scope(stranger: Client) -> None:
    answer = stranger.post(RUNS, json={"recipe": TOY, "data": "toys"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


def test_a_queued_run_is_paused_resumed_and_cancelled(client: Client, data: str) -> None:
    run = ask(client, data).json()["id"]
    assert client.post(f"{RUNS}/{run}/pause").json()["state"] == "paused"
    assert client.post(f"{RUNS}/{run}/resume").json()["state"] == "queued"
    assert client.post(f"{RUNS}/{run}/cancel").json()["state"] == "cancelled"
    assert client.post(f"{RUNS}/{run}/resume").json()["state"] == "cancelled"
    with client.stream("GET", f"{RUNS}/{run}/events") as events:
        lines = [line for line in events.iter_lines() if line.startswith("data")]
    assert '"state": "cancelled"' in lines[-1]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "is idx data, not a folder of photographs"),
        ({"data": "nobody"}, "there is no data set 'nobody'"),
        ({"data": "shop", "drop": ["ugly"]}, "there is no flag 'ugly'; there are unreadable"),
        ({"data": "shop", "size": 9}, "16"),
        ({"data": "shop", "cutter": "scissors"}, "cutter must be 'grabcut' or 'u2netp'"),
        ({"data": "shop", "merge": ["polo=shirt"]}, "there is no category 'polo' to merge"),
        ({"data": "shop", "name": "../etc"}, "is not a valid name"),
        ({"data": "shop", "steps": 9}, "steps"),
    ],
)
def test_a_preparation_that_cannot_succeed_is_refused(
    client: Client, gateway: Gateway, data: str, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    key = client.key
    with Service(gateway.settings.public_url, key) as service:
        push_folder(service, pictures(tmp_path / "shop"), quiet=True)
    answer = client.post("/v1/preparation-jobs", json={"data": data} | changes)
    assert answer.status_code in (400, 404), answer.text
    assert sentence in answer.json()["error"]["message"], answer.text
    queued = client.post("/v1/preparation-jobs", json={"data": "shop"})
    assert queued.status_code == 202, queued.text
    assert [run["id"] for run in client.get(RUNS).json()["data"]] == [queued.json()["id"]]
    unlike = client.post("/v1/evaluation-jobs", json={"model": "nobody", "data": "shop"})
    assert "there is no model 'nobody'" in unlike.json()["error"]["message"]


def test_an_evaluation_that_cannot_succeed_is_refused(
    client: Client, gateway: Gateway, tmp_path: Path
) -> None:
    Roster(gateway.ledger).heartbeat("n1", "10.0.0.1", 0)
    publish(gateway.store, toy_folder(tmp_path / "toy-model"), "toy-model", client.tenant)
    key = client.key
    with Service(gateway.settings.public_url, key) as service:
        push_folder(service, table(tmp_path / "shop"), quiet=True)
    answer = client.post("/v1/evaluation-jobs", json={"model": "toy-model", "data": "shop"})
    assert answer.status_code == 400, answer.text
    assert "needs a test split" in answer.json()["error"]["message"]
    assert client.get(RUNS).json()["data"] == []


def test_a_cancelled_run_stays_cancelled(client: Client, gateway: Gateway, data: str) -> None:
    run = ask(client, data).json()["id"]
    roster, record = Roster(gateway.ledger), load_record(gateway.store, client.tenant, run)
    while (assignment := roster.claim("n1", 1)[0]).run != run:  # runs of other tests are older
        roster.report(assignment, "n1", "cancelled")
    for command in ("cancel", "pause", "resume"):
        assert client.post(f"{RUNS}/{run}/{command}").json()["wish"] == "cancel"
        assert load_stop_request(gateway.store, record) == "cancelled"


def test_a_deleted_run_is_in_the_trash_and_can_be_restored(
    client: Client, gateway: Gateway, data: str
) -> None:
    run = client.post(RUNS, json={"recipe": TOY, "data": data}, headers={"Idempotency-Key": "k"}).json()["id"]
    with Service(gateway.settings.public_url, client.key) as service:
        with pytest.raises(ProdgenError, match="has not ended; cancel it first"):
            service.delete_run(run)
        before = service.command(run, "cancel")
        until = service.delete_run(run)["restorable_until"]
        assert [(one["id"], one["restorable_until"]) for one in service.trashed_runs()] == [(run, until)]
        assert run not in [one["id"] for one in service.runs()]
        with pytest.raises(ProdgenError, match=f"run {run} is deleted; it can be restored until"):
            service.run(run)
        with pytest.raises(ProdgenError, match="of this idempotency key is deleted; use a new key"):
            service.train({"recipe": TOY, "data": data}, "k")
        assert service.restore_run(run) == before
        assert list(service.trashed_runs()) == []
        assert service.delete_run(run, for_good=True)["restorable_until"] is None


def test_a_run_that_redis_forgot_stands_where_its_checkpoint_does(
    client: Client, gateway: Gateway, data: str
) -> None:
    run = ask(client, data).json()["id"]
    newest = Checkpoint(token="00000007", step=40, restarts=2, files={})
    pointer = keys.run(client.tenant, run, "checkpoints", f"{newest.token}.json")
    gateway.store.put(pointer, newest.model_dump_json().encode(), "application/json")
    gateway.ledger.client.delete(f"{gateway.ledger.prefix}run:{run}")
    shown = client.get(f"{RUNS}/{run}").json()
    assert (shown["state"], shown["step"], shown["restarts"]) == ("queued", 40, 2)


def test_the_losses_and_scores_of_a_run_are_listed_by_step(
    client: Client, gateway: Gateway, data: str
) -> None:
    run = ask(client, data).json()["id"]
    assert client.get(f"{RUNS}/{run}/metrics").json()["data"] == []
    lines = [
        {"step": 50, "images": 800, "time": 1.5, "generator": 0.25, "images_per_second": 90.0},
        {"step": 100, "images": 1600, "time": 2.5, "generator": math.nan, "images_per_second": 91.0},
        {"step": 100, "images": 1600, "time": 2.6, "domain_fid": 80.5, "diversity": 0.9},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    gateway.store.put(keys.run(client.tenant, run, "files", "d"), text.encode())
    newest = Checkpoint(token="00000007", step=100, files={METRICS: "d"})
    pointer = keys.run(client.tenant, run, "checkpoints", f"{newest.token}.json")
    gateway.store.put(pointer, newest.model_dump_json().encode())
    with Service(gateway.settings.public_url, client.key) as service:
        first, second = service.metrics(run)
    assert (first["step"], first["losses"], first["metrics"]) == (50, {"generator": 0.25}, {})
    assert (second["losses"], second["metrics"]) == (
        {"generator": None},
        {"domain_fid": 80.5, "diversity": 0.9},
    )
    page = client.get(f"{RUNS}/{run}/metrics?limit=1").json()
    assert (page["data"], page["next"]) == ([first], "50")
    assert client.get(f"{RUNS}/{run}/metrics?after=50").json() == {
        "object": "list",
        "data": [second],
        "next": None,
    }


def test_an_evaluation_on_too_few_images_is_refused(client: Client, gateway: Gateway, tmp_path: Path) -> None:
    Roster(gateway.ledger).heartbeat("n1", "10.0.0.1", 0)
    publish(gateway.store, toy_folder(tmp_path / "toy-model"), "toy-model", client.tenant)
    key = client.key
    with Service(gateway.settings.public_url, key) as service:
        push_folder(service, pictures(tmp_path / "shop", count=2), quiet=True)
    answer = client.post("/v1/evaluation-jobs", json={"model": "toy-model", "data": "shop"})
    assert answer.status_code == 400, answer.text
    assert "needs at least 10 images; the train split of shop@" in answer.json()["error"]["message"]


@pytest.mark.parametrize("state", ["running", "paused", "queued"])
def test_only_a_run_that_runs_has_a_time_left(state: RunState) -> None:
    ids, counts, progress = ("r", "ada", "train"), (1, 9, 0), {"seconds_left": 80.0}
    status = RunStatus(*ids, state, *counts, "", None, created=0.0, updated=0.0, progress=progress)
    assert ("seconds_left" in RunView.of(status).progress) == (state == "running")
