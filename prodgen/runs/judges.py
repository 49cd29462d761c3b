"""Keeps one judge per data set in the store. All training runs on the data use it, so scores compare."""

from contextlib import suppress
from pathlib import Path

from prodgen.errors import NotFound
from prodgen.runs.record import RunRecord
from prodgen.storage import keys
from prodgen.storage.base import Store, exists

JUDGE = "classifier.safetensors"


def fetch_judge(store: Store, record: RunRecord, folder: Path) -> None:
    """Download the judge of the run's data into ``folder``, if the store has one."""
    with suppress(NotFound):
        (folder / JUDGE).write_bytes(store.get(_key(record)))


def store_judge(store: Store, record: RunRecord, folder: Path) -> None:
    """Upload the judge in ``folder`` for later runs on the same data, unless the store has one."""
    if not exists(store, _key(record)):
        store.put_file(_key(record), folder / JUDGE)


def _key(record: RunRecord) -> str:
    """Return the store key of the judge of a data set version, read at one size and number of channels."""
    name, _, version = record.data.partition("@")
    read = (record.recipe.get(part) or "own" for part in ("size", "channels"))
    return keys.judge(record.tenant, name, f"{version}-{'-'.join(map(str, read))}")
