"""Upload the checkpoints, samples and log of an attempt to the store, while the attempt's processes work."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from mimetypes import guess_type
from pathlib import Path

from prodgen.files import sha256
from prodgen.runs.files import JUDGE, METRICS, PARTIAL, STATE, Checkpoint, file_key, step_of, tail
from prodgen.runs.record import RunRecord
from prodgen.storage import keys
from prodgen.storage.base import Store

KEPT = (STATE, "best.safetensors", JUDGE, METRICS)
"""The files that make a checkpoint: all that the run needs to continue on another node."""
_TRIES = 10
"""Tries to link a file; the kernel refuses to link a file that is being replaced."""
LOG_BYTES = 1 << 20
"""The number of bytes that are uploaded from the end of an attempt's log."""


class Publisher:
    """Uploads the files that the processes of one attempt write to ``folder``. ``token``: its token.

    ``start``: the checkpoint from which the attempt continues; its files are in ``folder``. ``counts(step)``
    is called right before a new checkpoint becomes the newest; it returns whether this attempt is still the
    run's current attempt. ``restarts``: how many attempts crashed before this attempt.
    """

    def __init__(
        self,
        store: Store,
        record: RunRecord,
        token: str,
        folder: Path,
        start: Checkpoint | None,
        counts: Callable[[int], bool],
        restarts: int = 0,
    ) -> None:
        self.store, self.record, self.token, self.folder, self.counts = store, record, token, folder, counts
        self.restarts = restarts
        self._stored = set(start.files.values()) if start else set[str]()
        self._replaced = set[str]()
        self._seen, self._logged = self._mark(), 0
        self._samples = {Path(i.key).name for i in store.list(keys.run(record.tenant, record.id, "samples/"))}

    def publish(self) -> bool:
        """Upload new samples, log and checkpoint. Returns False if the attempt is no longer current."""
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
                    self.store.put_file(file_key(self.record, digest), aside / name)
            step = step_of(aside / STATE)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        if not self.counts(step):
            return False
        self._point(Checkpoint(token=self.token, step=step, restarts=self.restarts, files=files))
        self._seen = mark
        return True

    def _set_aside(self, aside: Path) -> dict[str, str]:
        """Link the files of a checkpoint into ``aside``, and return the sha256 of each.

        A link keeps the content of a file that the processes replace. The .jsonl files are copied, because
        the processes append to them.
        """
        for name in KEPT:  # the state first: a newer file beside it is written again by the steps that follow
            for _ in range(_TRIES):
                with suppress(FileNotFoundError):  # the file is absent, or is just being replaced
                    (shutil.copyfile if name.endswith(".jsonl") else os.link)(
                        self.folder / name, aside / name
                    )
                    break
        return {path.name: sha256(path) for path in aside.iterdir()}

    def _point(self, checkpoint: Checkpoint) -> None:
        """Make ``checkpoint`` the newest checkpoint, and delete the files of older checkpoints.

        Files of the previous checkpoint stay, because another process may still be reading them.
        """
        tenant, run, files = self.record.tenant, self.record.id, set(checkpoint.files.values())
        own = keys.run(tenant, run, "checkpoints", f"{self.token}.json")
        self.store.put(own, checkpoint.model_dump_json().encode(), "application/json")
        self.store.delete(file_key(self.record, digest) for digest in self._replaced - self._stored - files)
        self._replaced, self._stored = self._stored, files

    def sweep(self) -> None:
        """Delete all checkpoints of the run but the newest. Call this when the run has ended."""
        tenant, run = self.record.tenant, self.record.id
        kept = {keys.run(tenant, run, "checkpoints", f"{self.token}.json")}
        kept |= {file_key(self.record, digest) for digest in self._stored}
        found = [
            i.key for part in ("checkpoints/", "files/") for i in self.store.list(keys.run(tenant, run, part))
        ]
        if kept <= set(found):
            self.store.delete(key for key in found if key not in kept)

    def _publish_samples(self) -> None:
        for path in sorted((self.folder / "samples").glob("*.*")):
            if path.suffix != PARTIAL and path.name not in self._samples:
                key = keys.run(self.record.tenant, self.record.id, "samples", path.name)
                self.store.put_file(key, path, guess_type(path)[0] or "text/plain")
                self._samples.add(path.name)

    def _publish_log(self) -> None:
        path = self.folder / "log.txt"
        size = path.stat().st_size if path.exists() else 0
        if size != self._logged:
            name = keys.run(self.record.tenant, self.record.id, "logs", f"{self.token}.txt")
            self.store.put(name, tail(path, LOG_BYTES), "text/plain")
            self._logged = size

    def _mark(self) -> tuple[int, int] | None:
        with suppress(FileNotFoundError):
            stat = (self.folder / STATE).stat()
            return stat.st_ino, stat.st_mtime_ns
        return None
