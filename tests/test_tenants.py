"""Weights of tenants survive in the store, and a broken file is reported in one sentence."""

from pathlib import Path

import pytest

from prodgen import tenants
from prodgen.errors import ProdgenError, Unavailable
from prodgen.storage.keys import SYSTEM_TENANTS
from prodgen.storage.local import LocalStore
from prodgen.tenants import Grant, grant_of, grants, set_grant


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path, "secret", "http://gateway.test")


def test_a_tenant_without_a_weight_has_weight_one(store: LocalStore) -> None:
    assert grant_of(store, "acme").weight == 1.0
    assert grants(store) == {}


def test_a_weight_that_is_set_is_used_at_once_and_leaves_the_other_tenants_alone(store: LocalStore) -> None:
    set_grant(store, "acme", weight=2)
    assert grant_of(store, "acme").weight == 2.0
    set_grant(store, "zeta", weight=0.5)
    set_grant(store, "acme", weight=3.0)
    assert grants(store) == {"acme": Grant(weight=3.0), "zeta": Grant(weight=0.5)}
    assert grant_of(store, "acme").weight == 3.0
    assert grant_of(store, "other").weight == 1.0


def test_a_change_of_one_field_leaves_the_other(store: LocalStore) -> None:
    set_grant(store, "acme", weight=2.0)
    set_grant(store, "acme", data_mb=100)
    assert grants(store) == {"acme": Grant(weight=2.0, data_mb=100)}
    assert set_grant(store, "acme", data_mb=None) == Grant(weight=2.0)


def test_many_orders_read_the_weights_once(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    set_grant(store, "acme", weight=2.0)
    assert grant_of(store, "acme").weight == 2.0
    monkeypatch.setattr(LocalStore, "get", lambda *_: pytest.fail("the store was read"))
    assert [grant_of(store, name).weight for name in ("acme", "zeta")] == [2.0, 1.0]


def test_a_weight_that_another_process_set_is_seen(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert grant_of(store, "acme").weight == 1.0
    store.put(SYSTEM_TENANTS, b'{"acme": {"weight": 2.0}}')
    monkeypatch.setattr(tenants, "CACHE_SECONDS", 0.0)
    assert grant_of(store, "acme").weight == 2.0


@pytest.mark.parametrize("weight", [0.0, -1.0, 101.0, float("inf"), float("nan")])
def test_a_weight_that_would_starve_a_tenant_is_refused(store: LocalStore, weight: float) -> None:
    with pytest.raises(ProdgenError, match=r"weight must be (at least 0\.01|at most 100|a finite number)"):
        set_grant(store, "acme", weight=weight)
    assert grants(store) == {}


def test_a_weight_of_no_tenant_is_refused(store: LocalStore) -> None:
    with pytest.raises(ProdgenError, match="not a valid name"):
        set_grant(store, "../acme", weight=1.0)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"acme": {"weight": 0}}', "acme.weight must be at least 0.01, not 0"),
        ('{"acme": {"weight": 1e999}}', "acme.weight must be a finite number, not inf"),
        ('{"acme": {"weight": "2"}}', "acme.weight must be a number, not '2'"),
        ('{"acme": {"weight": true}}', "acme.weight must be a number, not True"),
        ('{"acme": {"wait": 2.0}}', "there is no field acme.wait"),
        ('{"acme": 2.0}', "acme must be an object, not 2.0"),
        ("[]", "must be an object, not []"),
        ("{", "is not JSON"),
    ],
)
def test_a_broken_file_is_reported_in_one_sentence(store: LocalStore, content: str, sentence: str) -> None:
    store.put(SYSTEM_TENANTS, content.encode())
    with pytest.raises(Unavailable, match=r"system/tenants\.json in the store is broken: ") as caught:
        grant_of(store, "acme")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
