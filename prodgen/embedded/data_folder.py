"""The data folder of an embedded stack, with its lock and its secrets."""

import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import Any

from prodgen.errors import ProdgenError
from prodgen.files import flush_folder

ROOM = 1 << 20


class DataFolder:
    """The folder of one stack: store/, broker/, logs/, secrets.json, and ready.json while the stack is ready.

    Makes the folder if necessary, and locks it until this process ends. Raises ProdgenError if the folder
    cannot be made, or if another stack uses the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        try:
            for name in ("store", "broker", "logs", "run"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
                (self.root / name).chmod(0o700)  # images, orders and keys are the owner's alone
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
        self.ready_file.unlink(missing_ok=True)  # left by a stack that was killed

    @property
    def ready_file(self) -> Path:
        """Path of ready.json: the stack's addresses and API key. Exists only while the stack is ready."""
        return self.root / "ready.json"

    def secret(self, name: str) -> str:
        """Return the secret ``name``. If it is not set, first stores a random value in secrets.json."""
        if self.find_secret(name) is None:
            self.set_secret(name, secrets.token_urlsafe(32))
        return self._secrets()[name]

    def find_secret(self, name: str) -> str | None:
        """Return the secret ``name``, or None if it is not set."""
        return self._secrets().get(name)

    def set_secret(self, name: str, value: str) -> None:
        """Store the secret ``name`` in secrets.json."""
        write_private(self.root / "secrets.json", {**self._secrets(), name: value})

    def check_room(self) -> None:
        """Raise OSError if the disk has no room for a further file of `ROOM` bytes."""
        probe = self.root / "run" / "room"
        try:
            probe.write_bytes(bytes(ROOM))
        finally:
            probe.unlink(missing_ok=True)

    def _secrets(self) -> dict[str, str]:
        file = self.root / "secrets.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}


def write_private(path: Path, value: Any) -> None:
    """Write ``value`` as JSON to a file that only its owner may read.

    After a crash or a power loss, ``path`` has either its old content or its new content.
    """
    partial = path.with_suffix(".part")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(value, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    flush_folder(path.parent)
