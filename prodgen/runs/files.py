"""What the store holds of a training run.

A checkpoint is a pointer, ``checkpoints/{token}.json``, to files that are named by their content, so that
what has not changed since the last is not sent again. A later attempt has a larger token: the newest
checkpoint is that of the largest, and an attempt that is over can only move a pointer that nobody reads any
more.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from prodgen.errors import NotFound, ProdgenError
from prodgen.runs.judges import JUDGE
from prodgen.runs.record import RunEnd, RunRecord
from prodgen.storage import keys
from prodgen.storage.base import Store

STATE = "checkpoint.safetensors"
KEPT = (STATE, "best.safetensors", JUDGE, "metrics.jsonl")
"""What a run needs of its folder to go on elsewhere."""
LOG_BYTES = 1 << 20
"""Of an attempt's log, its end."""
_CHUNK = 16 << 20


class Checkpoint(BaseModel):
    """A run as it was at ``step``: the sha256 of each of its `KEPT` files."""

    model_config = ConfigDict(frozen=True)

    token: str
    step: int
    files: dict[str, str]


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


def forget_end(store: Store, record: RunRecord) -> None:
    """A paused run goes on."""
    store.delete([_state(record)])


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
        key = _file(record, digest)
        size = store.stat(key).size
        with partial.open("wb") as file:
            for offset in range(0, size, _CHUNK):
                file.write(store.get(key, offset, min(_CHUNK, size - offset)))
        if sha256(partial) != digest:
            raise ProdgenError(f"{name} of the checkpoint at step {found.step} is corrupt in the store")
        partial.replace(path)


class Publisher:
    """Brings the checkpoints of one attempt into the store while the run goes on.

    ``counts(step)`` is asked right before the pointer moves: whether the attempt is still the run's.
    """

    def __init__(
        self, store: Store, record: RunRecord, token: str, folder: Path, counts: Callable[[int], bool]
    ) -> None:
        self.store, self.record, self.token, self.folder, self.counts = store, record, token, folder, counts
        newest = newest_checkpoint(store, record.tenant, record.id)
        self._stored = set(newest.files.values()) if newest else set[str]()
        self._seen, self._logged = self._mark(), 0
        self._samples = {Path(i.key).name for i in store.list(keys.run(record.tenant, record.id, "samples/"))}

    def publish(self) -> bool:
        """Bring what is new; False if the attempt does not count any more."""
        self._publish_samples()
        self._publish_log()
        mark = self._mark()
        if mark is None or mark == self._seen:
            return True
        aside = self.folder / "publishing"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        try:
            files = self._set_aside(aside)
            for name, digest in files.items():
                if digest not in self._stored:
                    self.store.put_file(_file(self.record, digest), aside / name)
            step = step_of(aside / STATE)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        if not self.counts(step):
            return False
        self._point(Checkpoint(token=self.token, step=step, files=files))
        self._seen = mark
        return True

    def _set_aside(self, aside: Path) -> dict[str, str]:
        """The files themselves, which the run may replace but not change; copies of what it appends to."""
        files = {}
        for name in reversed(KEPT):  # the state last: nothing beside it is older than it
            with suppress(FileNotFoundError):
                (shutil.copyfile if name.endswith(".jsonl") else os.link)(self.folder / name, aside / name)
                files[name] = sha256(aside / name)
        return files

    def _point(self, checkpoint: Checkpoint) -> None:
        """Move the pointer, then sweep what only older ones name."""
        tenant, run = self.record.tenant, self.record.id
        own = keys.run(tenant, run, "checkpoints", f"{self.token}.json")
        self.store.put(own, checkpoint.model_dump_json().encode(), "application/json")
        self._stored = set(checkpoint.files.values())
        pointers = [info.key for info in self.store.list(keys.run(tenant, run, "checkpoints/"))]
        if pointers[-1] == own:
            kept = {own, *(_file(self.record, digest) for digest in self._stored)}
            files = [info.key for info in self.store.list(keys.run(tenant, run, "files/"))]
            self.store.delete(key for key in [*pointers, *files] if key not in kept)

    def _publish_samples(self) -> None:
        for path in sorted((self.folder / "samples").glob("*.png")):
            if path.name not in self._samples:
                key = keys.run(self.record.tenant, self.record.id, "samples", path.name)
                self.store.put_file(key, path, "image/png")
                self._samples.add(path.name)

    def _publish_log(self) -> None:
        data = tail(self.folder / "log.txt", LOG_BYTES)
        if len(data) != self._logged:
            name = keys.run(self.record.tenant, self.record.id, "logs", f"{self.token}.txt")
            self.store.put(name, data, "text/plain")
            self._logged = len(data)

    def _mark(self) -> tuple[int, int] | None:
        with suppress(FileNotFoundError):
            stat = (self.folder / STATE).stat()
            return stat.st_ino, stat.st_mtime_ns
        return None


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


def _file(record: RunRecord, digest: str) -> str:
    return keys.run(record.tenant, record.id, "files", digest)


def _state(record: RunRecord) -> str:
    return keys.run(record.tenant, record.id, "state.json")
