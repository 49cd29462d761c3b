"""The settings of a deployment choose its store."""

from pathlib import Path

import pytest

from prodgen.errors import ProdgenError
from prodgen.settings import Settings
from prodgen.storage import connect
from prodgen.storage.s3 import S3Store
from tests.servers.swift import S3Server


def test_the_default_keeps_objects_below_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    connect(Settings()).put("a/b", b"x")

    assert (tmp_path / "data" / "store" / "a" / "b").read_bytes() == b"x"


def test_an_absolute_path_is_taken_as_it_is(tmp_path: Path) -> None:
    connect(Settings(store_url=f"file://{tmp_path}/s")).put("a", b"x")

    assert (tmp_path / "s" / "a").read_bytes() == b"x"


def test_settings_lead_to_the_bucket_and_its_public_endpoint(s3_server: S3Server) -> None:
    store = connect(
        Settings(
            store_url="s3://connected",
            s3_endpoint=s3_server.endpoint,
            s3_public_endpoint="https://images.example",
            s3_access_key=s3_server.access_key,
            s3_secret_key=s3_server.secret_key,
        )
    )
    store.put("a", b"x")

    assert isinstance(store, S3Store)
    assert store.get("a") == b"x"
    assert store.link("shared/a", 60, "a.png").startswith("https://images.example/connected/shared/a?")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("gs://bucket", "must be file://PATH or s3://BUCKET"),
        ("data/store", "must be file://PATH or s3://BUCKET"),
        ("file://", "must be file://PATH or s3://BUCKET"),
        ("s3://", "must be file://PATH or s3://BUCKET"),
        ("s3://bucket", "PRODGEN_S3_ACCESS_KEY"),
    ],
)
def test_an_invalid_store_is_refused_with_the_setting_to_correct(url: str, sentence: str) -> None:
    with pytest.raises(ProdgenError, match=sentence):
        connect(Settings(store_url=url))


def test_a_folder_in_a_bucket_is_refused() -> None:
    with pytest.raises(ProdgenError, match="invalid bucket name"):
        connect(Settings(store_url="s3://bucket/folder", s3_access_key="a", s3_secret_key="b"))
