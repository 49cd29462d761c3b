"""Keys stay secret and stay the same, and two stacks do not share a folder."""

import json
from pathlib import Path

import pytest

from prodgen.embedded.data_folder import DataFolder, write_private
from prodgen.errors import ProdgenError


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_secrets_are_private_and_stay_the_same(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    signing, redis = folder.secret("signing"), folder.secret("redis")
    assert folder.find_secret("api_key") is None
    folder.set_secret("api_key", "pg_key")
    del folder  # gives the lock back

    folder = DataFolder(tmp_path / "data")

    assert (folder.secret("signing"), folder.secret("redis")) == (signing, redis)
    assert folder.find_secret("api_key") == "pg_key"
    assert len({signing, redis}) == 2
    assert min(map(len, (signing, redis))) >= 32
    assert mode(tmp_path / "data" / "secrets.json") == 0o600
    assert {mode(tmp_path / "data" / name) for name in ("store", "broker", "logs", "run")} == {0o700}
    assert not [*(tmp_path / "data").glob("*.part")]


def test_a_private_file_is_private_from_its_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = tmp_path / "ready.json"
    write_private(written, {"key": "old"})
    modes = []
    monkeypatch.setattr(json, "dump", lambda *_, **__: modes.append(mode(tmp_path / "ready.part")) or 1 / 0)

    with pytest.raises(ZeroDivisionError):
        write_private(written, {"key": "new"})

    assert modes == [0o600]
    assert json.loads(written.read_text()) == {"key": "old"}, "a crash leaves the old file whole"


def test_a_second_stack_on_the_folder_is_refused(tmp_path: Path) -> None:
    first = DataFolder(tmp_path)

    with pytest.raises(ProdgenError, match=r"another `prodgen up` runs on the data folder .*--data-dir"):
        DataFolder(tmp_path)

    del first
    DataFolder(tmp_path)


def test_the_addresses_of_a_stack_that_was_killed_are_forgotten(tmp_path: Path) -> None:
    (tmp_path / "ready.json").write_text("{}")
    assert not DataFolder(tmp_path).ready_file.exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ProdgenError, match=r"the data folder .*/file/data cannot be made: Not a directory"):
        DataFolder(tmp_path / "file" / "data")
