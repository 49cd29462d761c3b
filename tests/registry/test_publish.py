"""A published model is complete, never changes, and is found by its name, aliases and version."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from prodgen.errors import NotFound, ProdgenError, Unavailable
from prodgen.registry.aliases import set_alias
from prodgen.registry.publish import publish
from prodgen.registry.versions import aliases, load_lineage, load_metrics, resolve, versions
from prodgen.storage.local import LocalStore

Model = Callable[..., Path]


def test_a_second_listing_reads_no_version_again(
    store: LocalStore, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    for latent_dim in (16, 32, 64):
        publish(store, model(latent_dim=latent_dim), "shoes", None)
    first, read = versions(store, None), list[str]()
    get, stat = store.get, store.stat
    monkeypatch.setattr(store, "get", lambda key, *rest: read.append(key) or get(key, *rest))
    monkeypatch.setattr(store, "stat", lambda key: read.append(key) or stat(key))
    assert versions(store, None) == first
    assert len(first) == 3
    assert read == ["shared/models/shoes/aliases.json"]


def test_a_model_is_found_by_name_alias_and_version(store: LocalStore, model: Model) -> None:
    version = publish(store, model(), "shoes", None, aliases=("production", "spring"))
    for ref in ("shoes", "shoes@production", "shoes@spring", version.id):
        assert resolve(store, ref, "acme") == version
    assert version.aliases == ("production", "spring")
    assert version.config.size == 28
    assert store.get(f"{version.prefix}/card.md") == b"# shoes\n\nIt is a sample."


def test_a_card_has_the_published_name_as_its_title(store: LocalStore, model: Model) -> None:
    folder = model()
    (folder / "card.md").write_text("# 5f1c-training-1@node~9a\n\nA generator.\n\n# How\n")
    version = publish(store, folder, "shop2", "acme")
    assert store.get(f"{version.prefix}/card.md") == b"# shop2\n\nA generator.\n\n# How\n"


def test_publishing_twice_changes_nothing(store: LocalStore, model: Model) -> None:
    first = publish(store, model(), "shoes", None)
    again = model()
    (again / "card.md").write_text("# Another card")
    assert publish(store, again, "shoes", None) == first
    assert store.get(f"{first.prefix}/card.md") == b"# shoes\n\nIt is a sample."
    assert len(versions(store, None)) == 1


def test_an_old_version_stays_when_a_new_one_takes_the_alias(store: LocalStore, model: Model) -> None:
    old = publish(store, model(b"old"), "shoes", None)
    new = publish(store, model(b"new"), "shoes", None)
    assert resolve(store, "shoes", None).version == new.version
    assert resolve(store, old.id, None).version == old.version
    set_alias(store, "shoes", "production", old.version, None)
    assert resolve(store, "shoes", None).version == old.version


def test_publishing_without_aliases_leaves_production_alone(store: LocalStore, model: Model) -> None:
    old = publish(store, model(b"old"), "shoes", None)
    publish(store, model(b"candidate"), "shoes", None, aliases=())
    assert aliases(store, "shoes", None) == {"production": old.version}


def test_a_tenants_own_model_comes_before_the_shared_one(store: LocalStore, model: Model) -> None:
    shared = publish(store, model(b"shared"), "shoes", None)
    own = publish(store, model(b"own"), "shoes", "acme")
    assert resolve(store, "shoes", "acme") == own
    assert resolve(store, "shoes", "globex") == shared
    assert resolve(store, shared.id, "acme") == shared
    with pytest.raises(NotFound):
        resolve(store, own.id, "globex")
    assert [v.id for v in versions(store, "globex")] == [shared.id]
    assert [v.id for v in versions(store, "acme")] == [own.id, shared.id]


def test_a_half_uploaded_version_is_never_seen(
    store: LocalStore, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = LocalStore.put_file

    def fails_at_config(self: LocalStore, key: str, *rest: object) -> None:
        if key.endswith("config.json"):
            raise Unavailable("the store went away")
        put(self, key, *rest)  # type: ignore[arg-type]

    folder = model()
    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "put_file", fails_at_config)
        with pytest.raises(Unavailable):
            publish(store, folder, "shoes", None)
    assert versions(store, None) == []
    with pytest.raises(NotFound):
        resolve(store, "shoes", None)
    publish(store, folder, "shoes", None)
    assert resolve(store, "shoes", None)


def test_an_unknown_model_is_answered_with_those_there_are(store: LocalStore, model: Model) -> None:
    with pytest.raises(NotFound, match="no model 'hats'; none has been published"):
        resolve(store, "hats", "acme")
    version = publish(store, model(), "shoes", None)
    publish(store, model(), "bags", "acme")
    with pytest.raises(NotFound, match="no model 'hats'; there are bags, shoes") as caught:
        resolve(store, "hats", "acme")
    assert caught.value.param == "model"
    with pytest.raises(
        NotFound, match=f"shoes has no version or alias 'beta'; it has {version.version}, prod"
    ):
        resolve(store, "shoes@beta", None)


@pytest.mark.parametrize("ref", ["", "../../etc", "hub/model", "a@b@c", "shoes@../x", "/tmp/model"])
def test_a_model_is_a_name_never_a_path(store: LocalStore, ref: str) -> None:
    with pytest.raises(ProdgenError, match="not a valid name"):
        resolve(store, ref, "acme")


def test_an_alias_cannot_hide_a_version(store: LocalStore, model: Model) -> None:
    with pytest.raises(ProdgenError, match="looks like a version"):
        publish(store, model(), "shoes", None, aliases=("0123456789ab",))
    with pytest.raises(NotFound):
        set_alias(store, "shoes", "production", "0123456789ab", None)


@pytest.mark.parametrize(
    "weights", [b"", b"PK\x03\x04 a zip", b"\x80\x04\x95 a pickle", b"\x02" + b"\0" * 7 + b"[]"]
)
def test_a_pickled_checkpoint_is_not_published(store: LocalStore, model: Model, weights: bytes) -> None:
    folder = model()
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(ProdgenError, match="is not a safetensors file"):
        publish(store, folder, "shoes", None)
    assert versions(store, None) == []


def test_a_folder_that_is_no_model_is_refused(store: LocalStore, model: Model, tmp_path: Path) -> None:
    with pytest.raises(ProdgenError, match=r"holds no config\.json"):
        publish(store, tmp_path, "shoes", None)
    with pytest.raises(ProdgenError, match=r"is no model's config\.json: size"):
        publish(store, model(size="big"), "shoes", None)
    folder = model()
    (folder / "config.json").write_text(json.dumps({"format": 1}))
    with pytest.raises(ProdgenError, match=r"is no model's config\.json: family"):
        publish(store, folder, "shoes", None)


LINEAGE = {
    "run": "4f2a",
    "recipe": {"name": "clothing", "steps": 100},
    "data": {"name": "spring", "digest": "ef6c6a791697"},
    "prodgen": "0.1.0",
    "begun_from": "shoes@0123456789ab",
    "created": "2025-01-31T12:00:00Z",
}


def test_a_version_knows_where_it_comes_from(store: LocalStore, model: Model) -> None:
    folder = model()
    (folder / "lineage.json").write_text(json.dumps(LINEAGE))
    version = publish(store, folder, "shoes", None)
    lineage = load_lineage(store, version.prefix)
    assert lineage
    assert lineage.model_dump(mode="json") == LINEAGE

    (folder / "lineage.json").write_text(json.dumps({**LINEAGE, "run": "another"}))
    publish(store, folder, "shoes", None)
    assert load_lineage(store, version.prefix) == lineage, "a version stays as it was"
    assert load_lineage(store, publish(store, model(b"bought"), "shoes", None).prefix) is None


def test_a_lineage_that_makes_no_sense_is_refused(store: LocalStore, model: Model) -> None:
    folder = model()
    (folder / "lineage.json").write_text(json.dumps({**LINEAGE, "data": "spring"}))
    with pytest.raises(ProdgenError, match=r"is no model's lineage\.json: data "):
        publish(store, folder, "shoes", None)
    assert versions(store, None) == []


def test_metrics_that_nobody_can_read_are_none(store: LocalStore, model: Model) -> None:
    for text, metrics in (("[1]", None), ("{", None), ('{"fid": NaN}', {"fid": None})):
        folder = model(text.encode())
        (folder / "metrics.json").write_text(text)
        assert load_metrics(store, publish(store, folder, "shoes", None).prefix) == metrics
