"""A published checkpoint is whole, harms no newer attempt, and leaves no unused files in the store."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from prodgen.errors import ProdgenError
from prodgen.runs.files import fetch_checkpoint, newest_checkpoint, step_of
from prodgen.runs.publisher import Publisher
from prodgen.storage import keys
from tests.runs.conftest import new_run

RECORD = new_run("r1")


def write(folder: Path, step: int, best: int = 0) -> None:
    """Write what a run's folder holds at a step."""
    folder.mkdir(exist_ok=True)
    state = json.dumps({"__items__": [["step", step]]})
    for name, number in (("checkpoint", step), ("best", best), ("classifier", 7)):
        partial = folder / f"{name}.part"
        save_file({"x": np.array([number])}, partial, {"state": state} if name == "checkpoint" else None)
        partial.replace(folder / f"{name}.safetensors")
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": step}) + "\n")


def publisher(store, folder, token="1", begun=None, counts=lambda step: True):
    return Publisher(store, RECORD, token, folder, begun, counts)


def files(store):
    return {info.key.rpartition("/")[2] for info in store.list(keys.run("ada", "r1", "files/"))}


@pytest.fixture
def store(memory):
    return memory


def test_a_checkpoint_comes_back_as_it_was(store, tmp_path):
    publishing = publisher(store, tmp_path / "a")
    write(tmp_path / "a", 40)
    assert publishing.publish()
    newest = newest_checkpoint(store, "ada", "r1")
    (tmp_path / "b").mkdir()
    fetch_checkpoint(store, RECORD, newest, tmp_path / "b")
    assert newest.step == step_of(tmp_path / "b" / "checkpoint.safetensors") == 40
    for name in newest.files:
        assert (tmp_path / "b" / name).read_bytes() == (tmp_path / "a" / name).read_bytes()


def test_a_file_that_is_replaced_at_this_moment_is_in_the_checkpoint(store, tmp_path, monkeypatch):
    publishing, link, refused = publisher(store, tmp_path / "a"), os.link, []
    write(tmp_path / "a", 40)

    def refuse_once(source, target):
        if source not in refused:
            refused.append(source)
            raise FileNotFoundError(source)
        link(source, target)

    monkeypatch.setattr("prodgen.runs.publisher.os.link", refuse_once)
    assert publishing.publish()
    assert len(newest_checkpoint(store, "ada", "r1").files) == 4


def test_only_what_changed_is_sent_and_what_the_last_but_one_named_is_dropped(store, tmp_path):
    publishing = publisher(store, tmp_path / "a")
    seen = []
    for step in (20, 40, 60):
        write(tmp_path / "a", step)
        assert publishing.publish()
        seen.append(set(newest_checkpoint(store, "ada", "r1").files.values()))
    assert files(store) == seen[1] | seen[2]
    assert len(seen[1] & seen[2]) == 2  # the best weights and the judge have not changed
    assert publishing.publish()
    assert files(store) == seen[1] | seen[2]  # nothing new
    publishing.sweep()
    assert files(store) == seen[2]


def test_an_attempt_that_does_not_count_moves_no_pointer(store, tmp_path):
    publishing = publisher(store, tmp_path / "a", counts=lambda step: False)
    write(tmp_path / "a", 20)
    assert not publishing.publish()
    assert newest_checkpoint(store, "ada", "r1") is None


def test_a_late_attempt_takes_nothing_from_a_newer_one(store, tmp_path):
    write(tmp_path / "old", 20)
    old = publisher(store, tmp_path / "old", token="1")
    write(tmp_path / "old", 40)
    old.publish()
    begun = newest_checkpoint(store, "ada", "r1")
    (tmp_path / "new").mkdir()
    fetch_checkpoint(store, RECORD, begun, tmp_path / "new")
    new = publisher(store, tmp_path / "new", token="2", begun=begun)
    write(tmp_path / "new", 60, best=60)
    assert new.publish()

    write(tmp_path / "old", 50)  # it was suspended after it heard that it counts
    old.publish()

    newest = newest_checkpoint(store, "ada", "r1")
    assert (newest.token, newest.step) == ("2", 60)
    (tmp_path / "again").mkdir()
    fetch_checkpoint(store, RECORD, newest, tmp_path / "again")


def test_a_broken_checkpoint_is_never_handed_out(store, tmp_path):
    publishing = publisher(store, tmp_path / "a")
    write(tmp_path / "a", 20)
    publishing.publish()
    newest = newest_checkpoint(store, "ada", "r1")
    store.put(keys.run("ada", "r1", "files", newest.files["best.safetensors"]), b"rot")
    (tmp_path / "b").mkdir()
    with pytest.raises(ProdgenError, match="is corrupt in the store"):
        fetch_checkpoint(store, RECORD, newest, tmp_path / "b")
    assert not (tmp_path / "b" / "checkpoint.safetensors").exists()


def test_the_log_in_the_store_is_its_end_however_long_it_grows(store, tmp_path, monkeypatch):
    monkeypatch.setattr("prodgen.runs.publisher.LOG_BYTES", 10)
    (tmp_path / "a").mkdir()
    publishing = publisher(store, tmp_path / "a")
    for text in ("beginning ", "the middle", "at the end"):
        with (tmp_path / "a" / "log.txt").open("a") as log:
            log.write(text)
        publishing.publish()
    assert store.get(keys.run("ada", "r1", "logs", "1.txt")) == b"at the end"
