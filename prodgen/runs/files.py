"""What the store holds of a training run.

A checkpoint is a pointer, ``checkpoints/{token}.json``, to files that are named by their content, so that
what has not changed since the last is not sent again. A later attempt has a larger token: the newest
checkpoint is that of the largest, and an attempt that is over can only move a pointer that nobody reads any
more.
"""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import cast

from pydantic import BaseModel, ConfigDict

from prodgen.errors import NotFound, ProdgenError
from prodgen.ledger.run_entries import RunEnd, StoppedState
from prodgen.runs.record import RunRecord
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.storage.whole import download

STATE = "checkpoint.safetensors"
CARD = "card.md"
PARTIAL = ".part"
"""Of a sample that is not whole yet."""
PREPARED, SUMMARY = "prepared", "summary.json"
"""What a preparation leaves in the run's folder."""


class Checkpoint(BaseModel):
    """A run as it was at ``step``: the sha256 of each of its files. ``restarts``: attempts that broke off."""

    model_config = ConfigDict(frozen=True)

    token: str
    step: int
    restarts: int = 0
    files: dict[str, str]


def step_and_restarts(known: RunEnd | Checkpoint | None) -> tuple[int, int]:
    """The step that the store knows of, and how many attempts have broken off by then."""
    return (known.step, known.restarts) if known else (0, 0)


def load_record(store: Store, tenant: str, run: str) -> RunRecord:
    """What is to be trained; raises NotFound."""
    return RunRecord.model_validate_json(store.get(keys.run(tenant, run, "spec.json")))


def find_record(store: Store, tenant: str, run: str) -> RunRecord | None:
    """`load_record`, None if there is no such run."""
    with suppress(NotFound):
        return load_record(store, tenant, run)
    return None


def load_end(store: Store, record: RunRecord) -> RunEnd | None:
    """Why the run does not go on, if it does not."""
    with suppress(NotFound):
        return RunEnd.model_validate_json(store.get(_state(record)))
    return None


def write_end(store: Store, record: RunRecord, end: RunEnd) -> None:
    """Let the store know that the run does not go on."""
    store.put(_state(record), end.model_dump_json(indent=1).encode(), "application/json")
    store.delete([_stop_request(record)])


def delete_end(store: Store, record: RunRecord) -> None:
    """A paused run goes on, or one that was to be paused."""
    store.delete([_state(record), _stop_request(record)])


def write_stop_request(store: Store, record: RunRecord, state: StoppedState) -> None:
    """A run that works is to stop as ``state``: kept until it has, in case Redis forgets."""
    store.put(_stop_request(record), json.dumps({"state": state}).encode(), "application/json")


def load_stop_request(store: Store, record: RunRecord) -> StoppedState | None:
    """As what the run is to stop, if it is."""
    with suppress(NotFound):
        return cast("StoppedState", json.loads(store.get(_stop_request(record)))["state"])
    return None


def newest_checkpoint(store: Store, tenant: str, run: str) -> Checkpoint | None:
    """Where the run would go on."""
    pointers = [info.key for info in store.list(keys.run(tenant, run, "checkpoints/"))]
    with suppress(NotFound):  # a newer one has just taken its place
        return Checkpoint.model_validate_json(store.get(pointers[-1])) if pointers else None
    return newest_checkpoint(store, tenant, run)


def fetch_checkpoint(store: Store, record: RunRecord, found: Checkpoint, folder: Path) -> None:
    """Bring a checkpoint's files into the run's folder, the state last; what is there and sound stays."""
    for name in sorted(found.files, key=lambda name: name == STATE):
        path, digest = folder / name, found.files[name]
        if path.is_file() and sha256(path) == digest:
            continue
        partial = path.with_suffix(".fetch")
        download(store, file_key(record, digest), partial)
        if sha256(partial) != digest:
            raise ProdgenError(f"{name} of the checkpoint at step {found.step} is corrupt in the store")
        partial.replace(path)


def step_of(path: Path) -> int:
    """The step of a checkpoint, by its header alone."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return int(dict(json.loads(header["__metadata__"]["state"])["__items__"])["step"])


def tail(path: Path, size: int) -> bytes:
    """The last bytes of a file, or of nothing."""
    with suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read()
    return b""


def sha256(path: Path) -> str:
    """Of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_key(record: RunRecord, digest: str) -> str:
    """Where a file of a checkpoint lies."""
    return keys.run(record.tenant, record.id, "files", digest)


def _state(record: RunRecord) -> str:
    return keys.run(record.tenant, record.id, "state.json")


def _stop_request(record: RunRecord) -> str:
    return keys.run(record.tenant, record.id, "wish.json")
