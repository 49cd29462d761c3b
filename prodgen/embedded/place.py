"""The data folder of an embedded stack, and the secrets that are made once and kept in it."""

import fcntl
import json
import os
import secrets
import socket
from pathlib import Path
from typing import Any

from prodgen.errors import ProdgenError


class Place:
    """A data folder: store, broker, logs, secrets.json and, while all of it answers, ready.json.

    It is this process's alone until that ends.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        try:
            for name in ("store", "broker", "logs", "run"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
            self._lock = (self.root / "run" / "lock").open("w")
        except OSError as error:
            raise ProdgenError(f"the data folder {root} cannot be made: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ProdgenError(
                f"another `prodgen up` runs on the data folder {root}; choose another with --data-dir",
                param="--data-dir",
            ) from None
        self.ready_file.unlink(missing_ok=True)  # of a stack that was killed

    @property
    def ready_file(self) -> Path:
        """What tells others where everything is; there only while all of it answers."""
        return self.root / "ready.json"

    def secret(self, name: str) -> str:
        """A random secret of this folder, the same at every start."""
        known = self._secrets()
        if name not in known:
            self.keep(name, secrets.token_urlsafe(32))
        return self._secrets()[name]

    def kept(self, name: str) -> str | None:
        """A secret that `keep` was given."""
        return self._secrets().get(name)

    def keep(self, name: str, value: str) -> None:
        """Remember a secret."""
        write_private(self.root / "secrets.json", {**self._secrets(), name: value})

    def _secrets(self) -> dict[str, str]:
        path = self.root / "secrets.json"
        known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        return known


def write_private(path: Path, value: Any) -> None:
    """JSON that only its owner may read, written whole or not at all."""
    partial = path.with_suffix(".part")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(value, file, indent=2)
    partial.replace(path)


def free_port(address: str = "127.0.0.1") -> int:
    """A port of an address that nothing listens on; of every address for an empty one."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether nothing listens on the loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def check_port(port: int, option: str) -> None:
    """Raises ProdgenError if the port is taken."""
    if not is_free(port):
        raise ProdgenError(f"port {port} is taken; choose another with {option}", param=option)
