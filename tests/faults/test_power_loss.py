"""A power loss right after a call has returned loses nothing of what the call has written."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.faults.campaign.power import Disk
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")
BEGIN = "import os, sys; from pathlib import Path; folder = Path(sys.argv[1])\n"


@pytest.fixture
def lose_power(tmp_path: Path) -> Callable[[str], Path]:
    """Run a script in a process, and lose the power at its end. Returns the folder that it has written."""

    def run(script: str) -> Path:
        root = tmp_path / "data"
        root.mkdir()
        disk = Disk(root, tmp_path / "journal")
        environment = {**os.environ, "PYTHONPATH": ":".join(sys.path), **disk.environment()}
        subprocess.run((sys.executable, "-c", BEGIN + script, root), env=environment, check=True)
        disk.lose_power(Random(1))
        return root

    return run


def test_what_was_not_flushed_is_lost(lose_power: Callable[[str], Path]) -> None:
    root = lose_power(
        "for name in ('a', 'b'):\n"
        "    file = open(folder / name, 'wb', 0); file.write(b'flushed'); os.fsync(file.fileno())\n"
        "file.write(bytes(1000))\n"
        "os.rename(folder / 'a', folder / 'c')\n"
        "(folder / 'new').mkdir()\n"
    )
    assert (root / "a").read_bytes() == b"flushed"
    assert (root / "b").read_bytes().startswith(b"flushed")
    assert (root / "b").stat().st_size < 1007
    assert not (root / "new").exists()


def test_the_changes_of_a_redis_server_are_noted(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "data", tmp_path / "journal")
    before = ("env", *(f"{name}={value}" for name, value in disk.environment().items()))
    server = ValkeyServer(disk.root / "redis", before=before)
    try:
        server.start()
        with server.client() as client:
            for number in range(3):
                client.set("key", number)
    finally:
        server.kill()
    assert "appendonlydir" in (disk.journal / "log").read_text()


def test_an_object_of_the_store_is_kept(lose_power: Callable[[str], Path]) -> None:
    root = lose_power(
        "from prodgen.storage.local import LocalStore\n"
        "store = LocalStore(folder / 'store', 'secret', 'http://localhost')\n"
        "os.sync()\n"
        "for text in (b'old', b'new'): store.put('tenants/a/jobs/b/state.json', text)\n"
    )
    assert (root / "store/tenants/a/jobs/b/state.json").read_bytes() == b"new"


def test_the_secrets_of_a_stack_are_kept(lose_power: Callable[[str], Path]) -> None:
    root = lose_power(
        "from prodgen.embedded.data_folder import write_private\n"
        "for key in ('old', 'new'): write_private(folder / 'secrets.json', {'key': key})\n"
    )
    assert json.loads((root / "secrets.json").read_text()) == {"key": "new"}
