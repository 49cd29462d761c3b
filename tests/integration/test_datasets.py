"""Commands push and remove data, and a node makes room for data on its disk."""

import os
import time
from pathlib import Path

from prodgen.settings import Settings
from prodgen.storage import keys
from tests.integration.test_training import RECIPE
from tests.servers.process import wait_until
from tests.servers.up import Up
from tests.toys import write_catalogue


def test_what_is_pushed_can_be_removed(up: Up, tmp_path: Path) -> None:
    tenant = up.json("keys", "list")[0]["tenant"]

    def uploads() -> int:
        return sum(info.size for info in up.store.list(keys.uploads(tenant)))

    before, folder = uploads(), write_catalogue(tmp_path / "coming", count=30)
    first = up.json("data", "push", folder)
    (folder / "names.txt").write_text("".join(f"kind {k}\n" for k in range(10)))
    second = up.json("data", "push", folder)
    there = uploads()

    done = up.cli("data", "remove", second["id"])
    assert (done.returncode, done.stderr.count("\n")) == (0, 1), done.stderr
    assert done.stderr.startswith(f"removed {second['id']}: ")
    assert done.stderr.endswith(" freed\n")
    refused = up.cli("data", "remove", second["id"])
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"coming has no version '{second['version']}'; it has {first['version']}" in refused.stderr
    assert up.cli("data", "remove", "coming@").returncode == 2

    left = uploads()
    assert before < left < there
    removed = up.json("data", "remove", "coming")
    assert removed == {"object": "removal", "removed": [first["id"]], "bytes": left - before}
    assert uploads() == before
    assert "coming" not in [dataset["name"] for dataset in up.json("data", "list")]


def test_a_run_keeps_its_data_on_both_sides_and_makes_room_for_it(up: Up, tmp_path: Path) -> None:
    folder = up.data_dir / "training"
    unused, used = (folder / "data" / (letter * 64) for letter in "ab")
    for path, hours in ((unused, 100), (used, 0.5)):
        path.mkdir(parents=True)
        with (path / "images").open("wb") as file:
            file.truncate(Settings.model_fields["cache_mb"].default << 20)  # a sparse file
        os.utime(path, (time.time() - hours * 3600,) * 2)
    toys = write_catalogue(tmp_path / "kept", count=210, size=16)
    (tmp_path / "toy.toml").write_text(RECIPE)
    endless = ("--set", "steps=100000", "--set", "evaluate_every=50000", "--set", "sample_every=50000")
    run = up.json("train", tmp_path / "toy.toml", "--queue", "--data", toys, *endless)["id"]
    try:
        wait_until(lambda: up.json("training", "show", run)["step"] > 0, "the run does not start")
        assert not unused.exists()
        assert used.exists(), "another process may be about to open it"
        [data] = [link.resolve() for link in folder.glob("runs/*/uses/*")]
        assert data.parent == folder.resolve() / "data"

        refused = up.cli("data", "remove", "kept")
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        assert f"run {run} is running and reads kept@" in refused.stderr
    finally:
        (used / "images").unlink(missing_ok=True)
        up.cli("training", "cancel", run)
    wait_until(lambda: up.json("training", "show", run)["state"] == "cancelled", "the run continues")
    assert data.exists(), "the data stays for the next run"
    assert up.json("data", "remove", "kept")["bytes"] > 210 * 256
