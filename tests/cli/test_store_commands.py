"""What an administrator would lose: keys, weights and models in the store, without a gateway."""

import json
from pathlib import Path

import pytest

from prodgen.access import KeyRing
from prodgen.storage.local import LocalStore
from prodgen.tenants import Grant
from tests.cli.conftest import Run
from tests.sample_models import write_model


@pytest.fixture
def store(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStore:
    """An empty store, which the settings name."""
    store = LocalStore(tmp_path / "store", "a secret of these tests, which is long", "http://gateway")
    monkeypatch.setenv("PRODGEN_STORE_URL", f"file://{tmp_path / 'store'}")
    return store


def test_a_key_opens_what_it_was_created_for_until_it_is_revoked(run: Run, store: LocalStore) -> None:
    created = run("keys", "create", "--tenant", "acme", "--scope", "generate", "--scope", "train")
    secret = created.out.strip()
    assert created.err.startswith("created in file://")
    key = KeyRing(store).lookup(secret)
    assert key
    assert (key.tenant, key.scopes) == ("acme", ("generate", "train"))

    listed = run("keys", "list")
    row = listed.out.splitlines()[1].split()
    assert row[:4] == [key.id, "acme", "generate,", "train"]
    assert secret not in listed.out
    assert json.loads(run("keys", "list", "--json").out)[0]["id"] == key.id
    assert run("keys", "revoke", key.id).err.startswith(f"{key.id} is revoked in file://")
    assert KeyRing(store).lookup(secret) is None
    revoked = json.loads(run("keys", "list", "--json").out)[0]["revoked"]
    assert run("keys", "list").out.rstrip().endswith(revoked[:16].replace("T", " "))
    assert "there is no key 'x'" in run("keys", "revoke", "x").err
    unknown = run("keys", "create", "--tenant", "acme", "--scope", "fly")
    assert (unknown.code, unknown.out) == (2, "")
    assert "there is no scope 'fly'; there are generate, train" in unknown.err


def test_a_key_is_created_for_programs(run: Run, store: LocalStore) -> None:
    made = json.loads(run("keys", "create", "--tenant", "acme", "--json").out)
    assert (made["tenant"], made["scopes"]) == ("acme", ["generate"])
    assert KeyRing(store).lookup(made["key"])


def test_a_tenant_has_the_weight_that_was_set(run: Run, store: LocalStore) -> None:
    run("keys", "create", "--tenant", "acme")
    assert run("tenants", "set", "bulk-buyer", "--weight", "0.5").err.startswith(
        "bulk-buyer has weight 0.5 in file://"
    )
    acme = {"tenant": "acme", **dict(Grant(weight=3.0, data_mb=500, keep="30d", keep_runs="90d"))}
    run("tenants", "set", "acme", "--data-mb", 500, "--keep", "30d", "--keep-runs", "90d")
    assert json.loads(run("tenants", "set", "acme", "--weight", 3, "--json").out) == acme

    assert [line.split() for line in run("tenants", "list").out.splitlines()] == [
        ["tenant", "weight", "data", "mb", "keep", "keep", "runs"],
        ["acme", "3", "500", "30d", "90d"],
        ["bulk-buyer", "0.5"],
    ]
    assert json.loads(run("tenants", "list", "--json").out)[0] == acme
    without = run("tenants", "set", "acme", "--data-mb", 0, "--keep", "forever", "--keep-runs", "forever")
    assert without.err.startswith("acme has weight 3 in ")
    assert run("tenants", "set", "acme", "--keep", "soon").code == 2
    assert run("tenants", "set", "acme").code == 2
    limits = ("--images-per-day", 1000, "--queued-images", 500, "--store-mb", 9, "--requests-per-second", 0.5)
    message = run("tenants", "set", "acme", *limits, "--event-streams", 8).err
    assert message.startswith(
        "acme has weight 3, images_per_day 1000, queued_images 500, store_mb 9, requests_per_second 0.5, "
        "event_streams 8 in"
    )


def test_a_tenant_without_a_weight_has_one(run: Run, store: LocalStore) -> None:
    run("keys", "create", "--tenant", "acme")
    assert run("tenants", "list").out.splitlines()[1].split() == ["acme", "1"]


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "inf", "1e9"])
def test_a_weight_that_makes_no_sense_is_refused(run: Run, store: LocalStore, weight: str) -> None:
    done = run("tenants", "set", "acme", "--weight", weight)
    assert (done.code, done.out) == (2, "")
    assert "weight must be " in done.err
    assert run("tenants", "set", "../x", "--weight", "1").code == 2


def test_a_model_folder_is_published_once(run: Run, store: LocalStore, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "hats")
    words = ("models", "publish", folder, "--name", "hats", "--tenant", "acme", "--alias", "staging")

    first, again = run(*words), run(*words)

    assert first.err.startswith("published in file://"), first.err
    assert "hats@" in first.err
    assert "already, and stays as it was described then" in again.err
    assert json.loads(run(*words, "--json").out)["new"] is False


def test_the_bundled_models_are_published_to_all(run: Run, store: LocalStore) -> None:
    published = json.loads(run("models", "seed", "--json").out)
    assert any(ref.startswith("fashion-mnist@") for ref in published)
    assert [*store.list("shared/models/fashion-mnist/")]
    assert "fashion-mnist@" in run("models", "seed").err
