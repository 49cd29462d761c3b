"""A trained model is published, promoted while orders run, and rolled back."""

import json
from pathlib import Path

from prodgen.access import KeyRing
from prodgen.client import Client
from tests.onnx_models import network, write_onnx
from tests.sample_models import scored
from tests.servers.process import wait_until
from tests.servers.up import Up, wait_for_progress
from tests.toys import toy_folder

TENANT = "hatter"


def publish(up: Up, folder: Path) -> str:
    """Publish a folder as hats@staging and return its version."""
    where = ("--name", "hats", "--tenant", TENANT, "--alias", "staging")
    done = up.cli("models", "publish", folder, *where, "--json")
    assert done.returncode == 0, done.stderr
    ref: str = json.loads(done.stdout)["model"]
    return ref.removeprefix("hats@")


def test_a_promotion_affects_new_orders_only(up: Up, tmp_path: Path) -> None:
    key, _ = KeyRing(up.store).create(TENANT, ["generate", "promote"])
    old = publish(up, scored(toy_folder(tmp_path / "old", seed=1), 5.0))
    pids = up.pids
    order = {"model": "hats@production", "finish": {"size": 96}}
    with Client(up.url, key) as client:
        client.promote("hats", "staging", "production")
        bulk = client.submit({**order, "count": 4_000})
        wait_for_progress(client, bulk["id"], 1)
        client.pause(bulk["id"])  # so that it cannot end before the promotion

        new = publish(up, scored(toy_folder(tmp_path / "new", seed=2), 4.0))
        promoted = up.cli("models", "promote", "hats", "staging", PRODGEN_API_KEY=key)
        assert promoted.stdout.startswith(
            f"hats@production is {new}, before {old} (FID 4.00 against 5.00, by "
        )
        assert client.resume(bulk["id"])["state"] == "running", "the old job ended too early"
        wait_until(lambda: f"hats@{new} is loaded" in up.log("worker-1"), "the new version is not loaded")
        quick = client.submit({**order, "count": 16, "priority": "interactive"})
        for job, version in ((quick, new), (bulk, old)):
            *_, last = client.watch(job["id"])
            assert (last["state"], last["done"]) == ("succeeded", job["total"])
            made = [(image["index"], image["model"]) for image in client.images(job["id"])]
            assert made == [(index, f"hats@{version}") for index in range(job["total"])]
        assert up.pids == pids, "something was restarted"

        assert up.cli("models", "rollback", "hats", PRODGEN_API_KEY=key).returncode == 0
        assert client.model("hats")["version"] == old
        shown = up.cli("models", "show", "hats", PRODGEN_API_KEY=key).stdout
        assert f"hats@production is {old}, before {new} (rolled back, by " in shown


def test_a_network_of_another_program_is_ordered_and_verified_like_any_model(up: Up, tmp_path: Path) -> None:
    key, _ = KeyRing(up.store).create(TENANT, ["generate"])
    ref = f"hats@{publish(up, write_onnx(tmp_path / 'onnx'))}"
    with Client(up.url, key) as client:
        job = client.submit(
            {"model": ref, "count": 6, "attributes": {"kind": "mug"}, "priority": "interactive"}
        )
        *_, last = client.watch(job["id"])
        assert (last["state"], last["done"]) == ("succeeded", 6), last
        (tmp_path / "images").mkdir()
        assert len(list(client.download(job["id"], tmp_path / "images"))) == 6
        assert [*client.download_model(ref, tmp_path / "model")]
    done = up.cli("verify", tmp_path / "images", "--model", tmp_path / "model")
    assert (done.returncode, done.stdout) == (0, "6 of 6 images verified\n"), done.stderr

    broken = network()
    broken.graph.node[-1].domain = "com.microsoft"
    where = ("--name", "masks", "--tenant", TENANT)
    refused = up.cli("models", "publish", write_onnx(tmp_path / "broken", broken), *where)
    assert refused.returncode == 2
    assert refused.stderr.startswith("prodgen: model.onnx has the operator Tanh of com.microsoft; only ")
    assert [*up.store.list(f"tenants/{TENANT}/models/masks/")] == []


def test_production_is_not_published_to(up: Up, tmp_path: Path) -> None:
    where = ("--name", "caps", "--tenant", TENANT, "--alias", "production")
    done = up.cli("models", "publish", toy_folder(tmp_path / "toy"), *where)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "prodgen: production is reached by comparison: publish with --alias staging"
    )
    assert [*up.store.list(f"tenants/{TENANT}/models/caps/")] == []
