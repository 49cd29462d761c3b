"""Aliases change only to better versions, can be rolled back, and every change is recorded."""

from collections.abc import Callable
from pathlib import Path

import pytest

from prodgen.errors import Conflict, NotFound, ProdgenError, Unavailable
from prodgen.registry.aliases import AliasChange, history, promote, rollback, set_alias
from prodgen.registry.publish import publish
from prodgen.registry.versions import Version, aliases, resolve
from prodgen.storage.local import LocalStore
from tests.sample_models import scored

Model = Callable[..., Path]
Published = Callable[..., Version]


@pytest.fixture
def published(store: LocalStore, model: Model) -> Published:
    """Return a function that publishes a version of acme's model ``hats`` with a FID."""

    def publish_one(weights: bytes, fid: float | None, **taken: str) -> Version:
        return publish(store, scored(model(weights), fid, **taken), "hats", "acme", ())

    return publish_one


def production(store: LocalStore) -> str:
    return resolve(store, "hats", "acme").version


def roll_back(store: LocalStore, leaving: str | None = None) -> AliasChange:
    return rollback(store, "hats", "production", "acme", by="k2", leaving=leaving)


def test_the_first_version_needs_no_figures(store: LocalStore, published: Published) -> None:
    first = published(b"a", None)
    change = promote(store, first, "production", by="k1")
    assert (change.version, change.replaced, change.by, change.forced) == (first.version, None, "k1", False)
    assert production(store) == first.version
    assert history(store, "hats", "acme") == [change]


def test_only_a_better_version_takes_its_place(store: LocalStore, published: Published) -> None:
    good, worse, better = published(b"a", 5.954), published(b"b", 9.901), published(b"c", 4.0)
    promote(store, good, "production", by="k1")
    with pytest.raises(
        Conflict, match=r"hats@\w+ scores worse .* 9\.901 against 5\.954, lower is better; force"
    ):
        promote(store, worse, "production", by="k1")
    assert production(store) == good.version

    change = promote(store, better, "production", by="k1")

    assert production(store) == better.version
    assert change.figures
    assert change.figures.candidate
    assert (change.figures.candidate.fid, change.forced) == (4.0, False)


def test_what_cannot_be_compared_has_to_be_forced(store: LocalStore, published: Published) -> None:
    first, other = published(b"a", 5.0), published(b"b", 4.0, judge="abcdef")
    promote(store, first, "production", by="k1")
    with pytest.raises(
        Conflict, match=r"cannot be compared with .*, which is production: they were judged by two"
    ):
        promote(store, other, "production", by="k1")

    assert promote(store, other, "production", by="k1", force=True).forced

    assert production(store) == other.version
    assert [change.forced for change in history(store, "hats", "acme")] == [False, True]


def test_promoting_twice_is_promoting_once(store: LocalStore, published: Published) -> None:
    first = published(b"a", 5.0)
    promote(store, first, "production", by="k1")
    assert promote(store, first, "production", by="k1").replaced == first.version
    assert len(history(store, "hats", "acme")) == 1


def test_an_alias_can_be_rolled_back_step_by_step(store: LocalStore, published: Published) -> None:
    first, second, third = (published(w, 5.0 - n) for n, w in enumerate((b"a", b"b", b"c")))
    for version in (first, second, third):
        promote(store, version, "staging", by="k1")
        promote(store, version, "production", by="k1")

    change = roll_back(store)
    assert (change.replaced, change.version, change.rollback) == (third.version, second.version, True)
    assert roll_back(store).version == first.version, "never to what was rolled back"
    with pytest.raises(Conflict, match=f"is {first.version}, and there is no earlier version"):
        roll_back(store)

    assert aliases(store, "hats", "acme") == {"production": first.version, "staging": third.version}
    promote(store, third, "production", by="k1")
    assert roll_back(store).version == first.version


def test_rolling_back_twice_by_mistake_goes_back_once(store: LocalStore, published: Published) -> None:
    first, second, third = (published(w, 5.0 - n) for n, w in enumerate((b"a", b"b", b"c")))
    for version in (first, second, third):
        promote(store, version, "production", by="k1")

    change = roll_back(store, leaving=third.version)
    assert roll_back(store, leaving=third.version) == change
    assert production(store) == second.version
    with pytest.raises(Conflict, match=f"is {second.version} by now, not {first.version}"):
        roll_back(store, leaving=first.version)


def test_a_change_without_a_record_can_be_rolled_back(
    store: LocalStore, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (published(w, 5.0 - n) for n, w in enumerate((b"a", b"b", b"c")))
    promote(store, first, "production", by="k1")
    put = LocalStore.put

    def dies_before_history(self: LocalStore, key: str, *rest: str) -> None:
        if key.endswith("history.jsonl"):
            raise Unavailable("the store went away")
        put(self, key, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "put", dies_before_history)
        with pytest.raises(Unavailable):
            promote(store, second, "production", by="k1")
    assert production(store) == second.version
    assert roll_back(store).version == first.version
    promote(store, second, "production", by="k1")
    promote(store, third, "production", by="k1")
    assert roll_back(store).version == second.version


def test_changes_made_on_the_store_itself_are_recorded_too(store: LocalStore, model: Model) -> None:
    old = publish(store, model(b"old"), "shoes", None)
    new = publish(store, model(b"new"), "shoes", None)
    publish(store, model(b"new"), "shoes", None)
    set_alias(store, "shoes", "production", old.version, None)
    changes = [(change.version, change.replaced, change.by) for change in history(store, "shoes", None)]
    expected = [(old.version, None), (new.version, old.version), (old.version, new.version)]
    assert changes == [(*change, None) for change in expected]


def test_a_tenants_alias_shadows_the_shared_one(
    store: LocalStore, model: Model, published: Published
) -> None:
    shared = publish(store, model(b"shared"), "hats", None)
    own = published(b"own", 5.0)
    assert production(store) == shared.version, "until the tenant has an alias of its own"
    promote(store, own, "production", by="k1")
    assert production(store) == own.version
    assert resolve(store, "hats", "globex").version == shared.version


def test_an_alias_that_makes_no_sense_is_refused(store: LocalStore, published: Published) -> None:
    version = published(b"a", 5.0)
    for alias, why in (("0123456789ab", "looks like a version"), ("../x", "not a valid name")):
        with pytest.raises(ProdgenError, match=why):
            promote(store, version, alias, by="k1")
    with pytest.raises(NotFound, match="hats has no alias 'production'"):
        roll_back(store)
    assert history(store, "hats", "acme") == []
