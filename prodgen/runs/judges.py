"""The judge of a data set: trained by the first run on it, used by all others, so that scores compare."""

from contextlib import suppress
from pathlib import Path

from prodgen.errors import NotFound
from prodgen.registry.files import is_there
from prodgen.runs.record import RunRecord
from prodgen.storage import keys
from prodgen.storage.base import Store

JUDGE = "classifier.safetensors"


def fetch_judge(store: Store, record: RunRecord, folder: Path) -> None:
    """Bring it into the run's folder, if there is one."""
    with suppress(NotFound):
        (folder / JUDGE).write_bytes(store.get(_key(record)))


def store_judge(store: Store, record: RunRecord, folder: Path) -> None:
    """Let the next runs have that of this one, unless they have one."""
    if not is_there(store, _key(record)):
        store.put_file(_key(record), folder / JUDGE)


def _key(record: RunRecord) -> str:
    """What the judge has seen: the data as this recipe reads it."""
    name, _, version = record.data.partition("@")
    read = (record.recipe.get(part) or "own" for part in ("size", "channels"))
    return keys.judge(record.tenant, name, f"{version}-{'-'.join(map(str, read))}")
