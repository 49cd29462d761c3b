"""Servers that tests share; each starts when the first test asks for it."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.servers.process import wait_until

if TYPE_CHECKING:
    from tests.servers.swift import S3Server
    from tests.servers.valkey import ValkeyServer

# A busy machine must not fail a test that is only slow, and each run tries the same examples unless asked.
settings.register_profile(
    "tests",
    deadline=None,
    suppress_health_check=[*HealthCheck],
    derandomize="PRODGEN_EXAMPLES" not in os.environ,
)
settings.load_profile("tests")

# Run in the background of a shell, tests ignore Ctrl-C, and so would all the programs that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[S3Server]":
    """A real S3 server; a test that kills it does so by ``with s3_server.down():``."""
    from tests.servers.swift import S3Server

    server = S3Server(tmp_path_factory.mktemp("swift") / "node")
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[ValkeyServer]":
    """A real Valkey server; a test that kills it does so by ``with valkey_server.down():``."""
    from tests.servers.valkey import ValkeyServer

    server = ValkeyServer(tmp_path_factory.mktemp("valkey") / "node")
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
def one_day() -> None:
    """Wait while the day in UTC is about to end, so that all images of a test count to one day."""
    wait_until(
        lambda: datetime.now(UTC).date() == (datetime.now(UTC) + timedelta(seconds=60)).date(), "no day"
    )


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a disk in memory, with options such as ``size=64k`` or ``ro``; skips where that is forbidden."""
    mounted = []

    def mount(options: str) -> Path:
        place = tmp_path / f"disk-{len(mounted)}"
        place.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], capture_output=True)
        if done.returncode:
            pytest.skip("no right to mount a file system")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "--lazy", place], check=True)
