"""Keys open what they should, for as long as they should."""

from pathlib import Path

import pytest

from prodgen.access import KeyRing
from prodgen.errors import NotFound, ProdgenError, Unavailable
from prodgen.storage.keys import SYSTEM_KEYS
from prodgen.storage.local import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path, "secret", "http://gateway.test")


def test_a_key_opens_its_tenant_and_nothing_else(store: LocalStore) -> None:
    ring = KeyRing(store)
    secret, key = ring.create("acme", ["generate"], "night run")
    found = ring.lookup(secret)
    assert found == key
    assert found.tenant == "acme"
    assert found.allows("generate")
    assert not found.allows("train")
    assert ring.lookup(secret[:-1] + ("A" if secret[-1] != "A" else "B")) is None
    for wrong in ("", "pg_", "Bearer", key.id, key.digest, "pg_" + "ä" * 43):
        assert ring.lookup(wrong) is None


def test_an_admin_may_do_everything(store: LocalStore) -> None:
    _, key = KeyRing(store).create("acme", ["admin"])
    assert key.allows("promote")


def test_a_stolen_store_gives_nobody_a_key(store: LocalStore) -> None:
    secret, _ = KeyRing(store).create("acme", ["generate"])
    assert secret.removeprefix("pg_").encode() not in store.get(SYSTEM_KEYS)


def test_a_key_made_elsewhere_works_at_once(store: LocalStore) -> None:
    gateway = KeyRing(store)
    gateway.lookup(KeyRing(store).create("acme", ["generate"])[0])
    secret, key = KeyRing(store).create("acme", ["train"])
    assert gateway.lookup(secret) == key


def test_a_key_revoked_elsewhere_stops_working_within_seconds(store: LocalStore) -> None:
    now = 0.0
    gateway = KeyRing(store, seconds=5, clock=lambda: now)
    secret, key = KeyRing(store).create("acme", ["generate"])
    assert gateway.lookup(secret)
    KeyRing(store).revoke(key.id)
    now = 5.0
    assert gateway.lookup(secret) is None
    assert KeyRing(store).list()[0].revoked


def test_a_known_key_costs_no_read(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = KeyRing(store)
    secret, _ = ring.create("acme", ["generate"])
    monkeypatch.setattr(LocalStore, "get", lambda *_: pytest.fail("the store was read"))
    assert ring.lookup(secret)


def test_a_store_that_is_down_is_not_a_wrong_key(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, _ = KeyRing(store).create("acme", ["generate"])

    def down(*_: object) -> bytes:
        raise Unavailable("the store does not answer")

    monkeypatch.setattr(LocalStore, "get", down)
    with pytest.raises(Unavailable):
        KeyRing(store).lookup(secret)


def test_a_key_that_makes_no_sense_is_refused(store: LocalStore) -> None:
    ring = KeyRing(store)
    with pytest.raises(ProdgenError, match="there is no scope 'root'"):
        ring.create("acme", ["root"])  # type: ignore[list-item]
    with pytest.raises(ProdgenError, match="needs a scope"):
        ring.create("acme", [])
    with pytest.raises(ProdgenError, match="not a valid name"):
        ring.create("../acme", ["generate"])
    with pytest.raises(NotFound, match="there is no key 'nobody'"):
        ring.revoke("nobody")
    assert ring.list() == []
