"""Read and write the files of a run in the store.

For each checkpoint, ``checkpoints/{token}.json`` names the checkpoint's files by the sha256 of their content.
A later attempt has a larger token, so the checkpoint with the largest token is the newest.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

from prodgen.errors import NotFound, ProdgenError
from prodgen.files import sha256
from prodgen.ledger.run_entries import RunEnd, StoppedState
from prodgen.runs.record import RunRecord
from prodgen.storage import keys
from prodgen.storage.base import Store, download, exists
from prodgen.storage.due import make_due

STATE = "checkpoint.safetensors"
METRICS = "metrics.jsonl"
CARD = "card.md"
JUDGE = "classifier.safetensors"
PARTIAL = ".part"
"""The suffix of a sample that is still being written."""
PREPARED, SUMMARY = "prepared", "summary.json"
"""The prepared data set and its summary, in the run's folder."""


class Checkpoint(BaseModel):
    """A checkpoint at ``step``. ``files``: the sha256 of each file, by name. ``token``: the attempt's token.

    ``restarts``: how many attempts had crashed.
    """

    model_config = ConfigDict(frozen=True)

    token: str
    step: int
    restarts: int = 0
    files: dict[str, str]


def step_and_restarts(known: RunEnd | Checkpoint | None) -> tuple[int, int]:
    """Return the step of an end or checkpoint, and how many attempts had crashed. Returns (0, 0) for None."""
    return (known.step, known.restarts) if known else (0, 0)


def load_record(store: Store, tenant: str, run: str) -> RunRecord:
    """Return a run's spec.json. Raises NotFound if there is no such run."""
    return RunRecord.model_validate_json(store.get(keys.run(tenant, run, "spec.json")))


def find_record(store: Store, tenant: str, run: str) -> RunRecord | None:
    """Return a run's spec.json, or None if there is no such run."""
    with suppress(NotFound):
        return load_record(store, tenant, run)
    return None


def load_end(store: Store, record: RunRecord) -> RunEnd | None:
    """Return a run's state.json, or None if the run has neither ended nor paused."""
    with suppress(NotFound):
        return RunEnd.model_validate_json(store.get(_state(record)))
    return None


def write_end(store: Store, record: RunRecord, end: RunEnd) -> None:
    """Write a run's state.json, and delete the stop request that led to it."""
    if end.state != "paused" and (expires := record.expires(end.finished)):
        make_due(store, expires, record.tenant, record.id, keys.RUNS_DUE)  # first, so that no end lacks it
    store.put(_state(record), end.model_dump_json(indent=1).encode(), "application/json")
    store.delete([_stop_request(record)])


def delete_end(store: Store, record: RunRecord) -> None:
    """Delete a paused run's state.json and stop request, so that the run can continue."""
    store.delete([_state(record), _stop_request(record)])


def write_stop_request(store: Store, record: RunRecord, state: StoppedState) -> None:
    """Record that a running run must stop with this ``state``. The request survives the loss of Redis."""
    store.put(_stop_request(record), json.dumps({"state": state}).encode(), "application/json")


def load_stop_request(store: Store, record: RunRecord) -> StoppedState | None:
    """Return the state in which a running run was asked to stop, or None if there is no request."""
    with suppress(NotFound):
        return cast("StoppedState", json.loads(store.get(_stop_request(record)))["state"])
    return None


def newest_checkpoint(store: Store, tenant: str, run: str) -> Checkpoint | None:
    """Return the checkpoint from which the run would continue, or None if there is no checkpoint."""
    pointers = [info.key for info in store.list(keys.run(tenant, run, "checkpoints/"))]
    with suppress(NotFound):  # a newer checkpoint has just replaced this one
        return Checkpoint.model_validate_json(store.get(pointers[-1])) if pointers else None
    return newest_checkpoint(store, tenant, run)


def load_metrics(store: Store, record: RunRecord) -> list[dict[str, Any]]:
    """Return the lines of metrics.jsonl in a run's newest checkpoint, oldest first; [] without one."""
    found = newest_checkpoint(store, record.tenant, record.id)
    if found is None or METRICS not in found.files:
        return []
    return [json.loads(line) for line in store.get(file_key(record, found.files[METRICS])).splitlines()]


def fetch_checkpoint(store: Store, record: RunRecord, found: Checkpoint, folder: Path) -> None:
    """Download the files of a checkpoint into ``folder``, `STATE` last. Skips files that are there already.

    Raises ProdgenError if a file is corrupt in the store.
    """
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
    """Return the step of a checkpoint file. Reads its header only."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return int(dict(json.loads(header["__metadata__"]["state"])["__items__"])["step"])


def tail(path: Path, size: int) -> bytes:
    """Return up to ``size`` bytes from the end of a file, or b"" if there is no file."""
    with suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read()
    return b""


def file_key(record: RunRecord, digest: str) -> str:
    """Return the key of a checkpoint's file, from the sha256 of its content."""
    return keys.run(record.tenant, record.id, "files", digest)


def fetch_judge(store: Store, record: RunRecord, folder: Path) -> None:
    """Download the judge of the run's data into ``folder``, if the store has one."""
    with suppress(NotFound):
        (folder / JUDGE).write_bytes(store.get(_judge(record)))


def store_judge(store: Store, record: RunRecord, folder: Path) -> None:
    """Upload the judge in ``folder``, unless the store has one. All runs with the same data use it."""
    if not exists(store, _judge(record)):
        store.put_file(_judge(record), folder / JUDGE)


def _judge(record: RunRecord) -> str:
    """Return the store's key of the judge of the run's data, size and number of channels."""
    name, _, version = record.data.partition("@")
    read = (record.recipe.get(part) or "own" for part in ("size", "channels"))
    return keys.judge(record.tenant, name, f"{version}-{'-'.join(map(str, read))}")


def _state(record: RunRecord) -> str:
    return keys.run(record.tenant, record.id, "state.json")


def _stop_request(record: RunRecord) -> str:
    return keys.run(record.tenant, record.id, "wish.json")
