"""A cache keeps the folders in use, and removes the others when its budget is exceeded."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from prodgen.catalog.catalogue import digest
from prodgen.catalog.formats import open_catalogue
from prodgen.datasets.fetch import fetch_dataset
from prodgen.errors import ProdgenError
from prodgen.registry.fetch import fetch
from prodgen.registry.publish import publish
from prodgen.runs import inputs
from prodgen.storage.cache import evict, mark_used, pin, pinned
from prodgen.storage.local import LocalStore
from tests.datasets.conftest import Push
from tests.datasets.folders import pictures
from tests.sample_models import write_model
from tests.toys import write_catalogue

HOUR = 3600.0


def fetched(cache: Path, letter: str, hours: float, size: int = 100) -> Path:
    """Write a fetched folder that was last used ``hours`` ago."""
    folder = cache / (letter * 64)
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "images").write_bytes(b"x" * (size - 10))
    (folder / "names.txt").write_bytes(b"x" * 10)
    return aged(folder, hours)


def aged(folder: Path, hours: float) -> Path:
    """Set the folder's last use to ``hours`` ago."""
    then = time.time() - hours * HOUR
    os.utime(folder, (then, then))
    return folder


def test_a_data_set_gets_room_or_is_refused_before_it_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "settings", lambda: SimpleNamespace(cache_mb=1))
    (tmp_path / "runs").mkdir()
    old, new = fetched(tmp_path / "data", "a", 3, 500_000), fetched(tmp_path / "data", "b", 2, 500_000)
    inputs._make_room(tmp_path, 400_000)
    assert (old.exists(), new.exists()) == (False, True)
    with pytest.raises(
        ProdgenError, match=r"has 0\.0 GB; this node keeps at most 0\.0 GB \(PRODGEN_CACHE_MB"
    ):
        inputs._make_room(tmp_path, 2 << 20)
    assert new.exists()


def test_the_least_recently_used_folders_are_evicted_until_the_rest_fits(tmp_path: Path) -> None:
    data, models = tmp_path / "data", tmp_path / "models"
    old, older, oldest = (fetched(data, letter, hours) for letter, hours in (("a", 2), ("b", 3), ("c", 4)))
    model = models / "shoes-0123456789ab"
    model.mkdir(parents=True)
    (model / "model.safetensors").write_bytes(b"x" * 100)
    aged(model, 3.5)
    evict(400, [data, models])
    assert all(folder.exists() for folder in (old, older, oldest, model))
    evict(399, [data, models])
    assert [f.exists() for f in (old, older, oldest, model)] == [True, True, False, True]
    evict(200, [data, models])
    assert [f.exists() for f in (old, older, model)] == [True, True, False]
    mark_used(older)
    evict(100, [data, models])
    assert [f.exists() for f in (old, older)] == [False, True]
    assert [*data.iterdir()] == [older]
    assert [*models.iterdir()] == []


def test_recent_folders_and_folders_in_use_stay_even_beyond_the_budget(tmp_path: Path) -> None:
    new, used, old = fetched(tmp_path, "a", 0.9), fetched(tmp_path, "b", 50), fetched(tmp_path, "c", 2)
    evict(1, [tmp_path], keep=[used])
    assert [f.exists() for f in (new, used, old)] == [True, True, False]
    evict(1, [tmp_path])
    assert [f.exists() for f in (new, used)] == [True, False]


def test_a_pinned_folder_stays_for_as_long_as_its_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    used, runs = fetched(tmp_path / "data", "a", 2), Path("runs")
    for name in ("one", "two", "idle"):
        (runs / name).mkdir(parents=True)
    pin(runs / "one", Path("data") / used.name)
    for _ in range(2):
        pin(runs / "two", Path("data") / used.name)
    for name in ("one", "two"):
        evict(1, [Path("data")], pinned(runs))
        assert (used / "names.txt").exists()
        shutil.rmtree(runs / name)
    evict(1, [Path("data")], pinned(runs))
    assert not used.exists()


def test_only_fetched_folders_are_evicted(tmp_path: Path) -> None:
    kept = [tmp_path / name for name in ("judges", "training", ".partial-new", "notes.txt", "abc-0123")]
    for path in kept[:3]:
        path.mkdir()
        (path / "file").write_bytes(b"x" * 1000)
    kept[3].write_text("mine")
    kept[4].mkdir()
    dead = tmp_path / ".partial-dead"
    dead.mkdir()
    for path in kept:
        aged(path, 20)
    aged(dead, 25)
    evict(1, [tmp_path, tmp_path / "nowhere"])
    assert all(path.exists() for path in kept)
    assert not dead.exists(), "a partial folder of a day ago belongs to no live process"


def test_fetching_marks_a_folder_as_used(local_store: LocalStore, put: Push, tmp_path: Path) -> None:
    dataset = put(local_store, pictures(tmp_path / "source"))
    version = publish(local_store, write_model(tmp_path / "model"), "shoes", None)
    for get in (
        lambda: fetch_dataset(local_store, dataset, tmp_path / "cache"),
        lambda: fetch(local_store, version, tmp_path / "cache"),
    ):
        for _ in range(2):  # downloaded, then found in the cache
            begun = time.time()
            folder = get()
            assert folder.stat().st_mtime >= begun - 0.1
            aged(folder, 2)
        evict(1, [tmp_path / "cache"])
        assert not folder.exists()
        assert get() == folder, "an evicted folder is fetched again"


def test_a_folder_that_is_used_during_its_eviction_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fetched(tmp_path, "a", 2)
    rename = Path.rename

    def just_then(self: Path, target: Path) -> Path:
        if self == folder:
            mark_used(folder)  # another process has found it complete
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", just_then)
    evict(1, [tmp_path])
    assert [*tmp_path.iterdir()] == [folder]
    assert len([*folder.rglob("*")]) == 3


NODE = """
import random, sys, time
from pathlib import Path
from prodgen.catalog.catalogue import digest
from prodgen.catalog.formats import open_catalogue
from prodgen.datasets.fetch import fetch_dataset
from prodgen.datasets.versions import resolve_dataset
from prodgen.storage import cache as module
from prodgen.storage.cache import evict
from prodgen.storage.local import LocalStore

module.RECENT = 3.0
root, tenant, folder, seed = sys.argv[1:]
store, cache = LocalStore(Path(root), "secret", "http://gateway.test"), Path(folder)
random.seed(int(seed))
wanted = dict(line.split() for line in sys.stdin.read().splitlines())
gone, seen, end = 0, set(), time.monotonic() + 200
while gone < 3 and time.monotonic() < end:
    name = random.choice(sorted(wanted))
    dataset = resolve_dataset(store, tenant, name)
    gone += name in seen and not (cache / dataset.listing).exists()
    seen.add(name)
    folder = fetch_dataset(store, dataset, cache)
    evict(1, [cache])
    assert digest(open_catalogue(folder)) == wanted[name], name
    time.sleep(random.random() / 4)
assert gone == 3, 'hardly anything was evicted'
"""


def test_nodes_that_share_a_folder_never_lose_what_they_are_about_to_open(
    local_store: LocalStore, put: Push, tenant: str, tmp_path: Path
) -> None:
    wanted = {}
    for number in range(30):
        source = write_catalogue(tmp_path / f"toys-{number}", count=20 + number)
        put(local_store, source, f"toys-{number}")
        wanted[f"toys-{number}"] = digest(open_catalogue(source))
    arguments = [str(tmp_path / "store"), tenant, str(tmp_path / "cache")]
    nodes = [
        subprocess.Popen([sys.executable, "-c", NODE, *arguments, str(seed)], stdin=-1, text=True)
        for seed in range(3)
    ]
    for node in nodes:
        assert node.stdin
        node.stdin.write("".join(f"{name} {value}\n" for name, value in wanted.items()))
        node.stdin.close()
    assert [node.wait(250) for node in nodes] == [0, 0, 0]
    assert all(len(path.name) == 64 for path in (tmp_path / "cache").iterdir())
