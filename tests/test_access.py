"""API keys open what they should, for as long as they should, also while the store is away."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from prodgen.access import ApiKey, KeyRing
from prodgen.errors import NotFound, ProdgenError, Unavailable
from prodgen.storage.base import ObjectInfo
from prodgen.storage.keys import SYSTEM_KEYS, api_key
from prodgen.storage.local import LocalStore
from tests.servers.process import wait_until

RANDOM_KEYS = [f"pg_{number:043}" for number in range(64)]


class Store(LocalStore):
    """A local store that counts its listings and, while ``answers`` is clear, hangs."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "secret", "http://gateway.test")
        self.answers = threading.Event()
        self.answers.set()
        self.delay = 0.0
        self.listings = self.at_once = self.most_at_once = 0

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        self.answers.wait(30)
        return super().get(key, offset, length)

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        self.listings += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.delay)
        yield from super().list(prefix, after)
        self.at_once -= 1


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.answers.set()


def old_file(store: LocalStore, keys: Iterable[ApiKey]) -> None:
    """Write the keys as older deployments did, and remove their own objects."""
    listed = [key.model_dump(mode="json") for key in keys]
    store.delete([info.key for info in store.list("system/keys/")])
    store.put(SYSTEM_KEYS, json.dumps(listed).encode())


def down(*_: object) -> bytes:
    raise Unavailable("the store does not answer")


def test_a_key_opens_its_tenant_and_nothing_else(store: Store) -> None:
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


def test_an_admin_may_do_everything(store: Store) -> None:
    _, key = KeyRing(store).create("acme", ["admin"])
    assert key.allows("promote")


def test_a_stolen_store_gives_nobody_a_key(store: Store) -> None:
    secret, _ = KeyRing(store).create("acme", ["generate"])
    stored = [store.get(info.key) for info in store.list("system/")]
    assert stored
    assert not any(secret.removeprefix("pg_").encode() in content for content in stored)


def test_a_key_made_elsewhere_works_at_once(store: Store) -> None:
    gateway = KeyRing(store)
    gateway.lookup(KeyRing(store).create("acme", ["generate"])[0])
    secret, key = KeyRing(store).create("acme", ["train"])
    assert gateway.lookup(secret) == key


def test_a_key_revoked_elsewhere_stops_working_within_seconds(store: Store) -> None:
    now = 0.0
    gateway = KeyRing(store, seconds=5, clock=lambda: now)
    secret, key = KeyRing(store).create("acme", ["generate"])
    assert gateway.lookup(secret)
    KeyRing(store).revoke(key.id)
    assert gateway.lookup(secret)
    now = 5.0
    assert gateway.lookup(secret) is None
    assert KeyRing(store).list()[0].revoked


def test_a_key_revoked_here_stops_working_at_once(store: Store) -> None:
    ring = KeyRing(store)
    secret, key = ring.create("acme", ["generate"])
    assert ring.lookup(secret)
    revoked = ring.revoke(key.id)
    assert ring.lookup(secret) is None
    assert ring.revoke(key.id) == revoked


def test_a_key_of_an_old_deployment_works_and_can_be_revoked(store: Store) -> None:
    secret, key = KeyRing(store).create("acme", ["generate"])
    other, _ = KeyRing(store).create("acme", ["train"])
    old_file(store, KeyRing(store).list())
    ring = KeyRing(store)
    new, _ = ring.create("acme", ["generate"])
    assert [bool(ring.lookup(each)) for each in (secret, other, new)] == [True, True, True]
    ring.revoke(key.id)
    for each in (ring, KeyRing(store)):
        assert [bool(each.lookup(s)) for s in (secret, other, new)] == [False, True, True]
    assert [bool(each.revoked) for each in KeyRing(store).list()] == [True, False, False]


def test_administrators_at_the_same_time_undo_nothing(store: Store) -> None:
    before = [KeyRing(store).create("acme", ["generate"]) for _ in range(8)]

    def administrate(number: int) -> str:
        ring = KeyRing(store)
        ring.revoke(before[number][1].id)
        return ring.create("acme", ["generate"])[0]

    with ThreadPoolExecutor(8) as pool:
        made = [*pool.map(administrate, range(8))]
    ring = KeyRing(store)
    assert all(ring.lookup(secret) for secret in made)
    assert not any(ring.lookup(secret) for secret, _ in before)


def test_a_known_key_costs_no_read(store: Store) -> None:
    ring = KeyRing(store, seconds=60)
    secret, _ = ring.create("acme", ["generate"])
    assert ring.lookup(secret)
    listings = store.listings
    assert ring.lookup(secret)
    assert store.listings == listings


@pytest.mark.parametrize("seconds", [5.0, 0.0])
def test_known_keys_work_at_once_while_the_store_hangs(store: Store, seconds: float) -> None:
    ring = KeyRing(store, seconds)
    secret, key = ring.create("acme", ["generate"])
    assert ring.lookup(secret) == key
    store.answers.clear()
    start = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(ring.lookup, [secret] * 8)] == [key] * 8
    assert all(ring.lookup(secret) for _ in range(100))
    assert time.monotonic() - start < 15, "each lookup waited"


def test_known_keys_work_while_others_wait_for_a_store_that_hangs(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prodgen.access.UNKNOWN_WAIT", 1.0)
    ring = KeyRing(store)
    secret, key = ring.create("acme", ["generate"])
    assert ring.lookup(secret) == key
    store.answers.clear()

    def unknown(random: str) -> str:
        with pytest.raises(Unavailable, match="does not answer") as caught:
            ring.lookup(random)
        return str(caught.value)

    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(unknown, random) for random in RANDOM_KEYS]
        start = time.monotonic()
        assert ring.lookup(secret) == key
        assert len({each.result(timeout=60) for each in waiting}) == 1
    assert time.monotonic() - start < 7, "those that come later must not wait as long again"
    store.answers.set()
    assert_soon(lambda: ring.lookup(RANDOM_KEYS[0]) is None)


def assert_soon(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; Unavailable means not yet."""

    def holds() -> bool:
        with suppress(Unavailable):
            return condition()
        return False

    wait_until(holds, "it never came true")


def test_a_store_that_is_down_is_not_a_wrong_key(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, key = KeyRing(store).create("acme", ["generate"])
    gateway = KeyRing(store, seconds=0.0)
    with monkeypatch.context() as patch:
        patch.setattr("prodgen.access.PAUSE", 60.0)
        patch.setattr(Store, "get", down)
        for _ in range(2):
            with pytest.raises(Unavailable, match="the store does not answer"):
                gateway.lookup(secret)
        assert store.listings <= 1, "a failure is remembered for a moment"
    assert_soon(lambda: gateway.lookup(secret) == key)
    monkeypatch.setattr(Store, "get", down)
    assert gateway.lookup(secret) == key
    assert gateway.lookup(secret) == key


def test_a_key_that_does_not_exist_is_remembered_for_a_moment(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prodgen.access.PAUSE", 60.0)
    monkeypatch.setattr("prodgen.access.MAX_UNKNOWN", 10)
    ring = KeyRing(store)
    assert ring.lookup(RANDOM_KEYS[0]) is None
    listings = store.listings
    assert ring.lookup(RANDOM_KEYS[0]) is None
    assert store.listings == listings
    assert not any(ring.lookup(random) for random in RANDOM_KEYS)
    assert len(ring._unknown) <= 10


def test_guessed_keys_cost_the_store_one_read_at_a_time(store: Store) -> None:
    ring = KeyRing(store)
    secret, _ = ring.create("acme", ["generate"])
    assert ring.lookup(secret)
    store.delay = 0.05
    with ThreadPoolExecutor(16) as pool:
        assert not any(pool.map(ring.lookup, RANDOM_KEYS))
    assert store.most_at_once == 1
    assert store.listings < len(RANDOM_KEYS) / 2


def test_a_broken_record_locks_no_known_key_out_and_keeps_no_revoked_key_alive(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    ring = KeyRing(store, seconds=0.0)
    secret, key = ring.create("acme", ["generate"])
    other, revoked = ring.create("acme", ["generate"])
    assert ring.lookup(secret) == key
    store.put(api_key(key.digest), b"{")
    store.put("system/keys/broken.json", b"{")
    KeyRing(store).revoke(revoked.id)
    assert_soon(lambda: ring.lookup(other) is None)
    assert ring.lookup(secret) == key
    assert ring.lookup(RANDOM_KEYS[0]) is None
    assert caplog.text.count("the API key in system/keys/broken.json cannot be read") == 2, (
        "once for each ring"
    )


def test_a_store_without_any_key_is_not_the_store_of_the_deployment(store: Store) -> None:
    now = 0.0
    ring = KeyRing(store, clock=lambda: now)
    secret, key = ring.create("acme", ["generate"])
    assert ring.lookup(secret) == key
    store.delete([api_key(key.digest)])
    now = 10.0
    assert ring.lookup(secret) == key
    with pytest.raises(Unavailable, match="has lost all API keys"):
        ring.lookup(RANDOM_KEYS[0])


def test_a_key_that_makes_no_sense_is_refused(store: Store) -> None:
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
