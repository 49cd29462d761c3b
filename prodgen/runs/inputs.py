"""Download a run's inputs: its newest checkpoint, its data set, the model to start from or to evaluate."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from prodgen.datasets.fetch import fetch_dataset
from prodgen.datasets.versions import resolve_dataset
from prodgen.errors import NotFound, ProdgenError
from prodgen.registry.fetch import fetch, fetch_discriminator
from prodgen.registry.versions import resolve
from prodgen.runs.files import CARD, Checkpoint, fetch_checkpoint, fetch_judge, newest_checkpoint
from prodgen.runs.record import RunRecord, TrainingSpec
from prodgen.settings import settings
from prodgen.storage.base import Store
from prodgen.storage.cache import evict, pin, pinned


@dataclass(frozen=True)
class Inputs:
    """A run's inputs on this node. ``data``, ``source``, ``judges``: folders of its data, model and judges.

    ``source`` is None if the run starts without a model. ``checkpoint``: the newest checkpoint, if any.
    """

    data: Path
    source: Path | None
    checkpoint: Checkpoint | None
    judges: Path


def fetch_inputs(
    store: Store, record: RunRecord, folder: Path, cache: Path, check: Callable[[], None]
) -> Inputs:
    """Download a run's checkpoint into the run's ``folder``, and its data and models into ``cache``.

    ``check()`` is called during the downloads, and may raise an exception to stop them.
    """
    checkpoint = _fetch_newest_checkpoint(store, record, folder)
    if checkpoint is None and isinstance(record.spec, TrainingSpec):
        fetch_judge(store, record, folder)
    dataset = resolve_dataset(store, record.tenant, record.data)
    data = fetch_dataset(store, dataset, cache / "data", lambda *_: check(), partial(_make_room, cache))
    pin(folder, data)
    source = _fetch_source(store, record, folder, cache / "models") if record.source else None
    _make_room(cache, 0)
    check()
    return Inputs(data, source, checkpoint, cache / "judges")


def _make_room(cache: Path, size: int) -> None:
    """Evict folders from the cache until ``size`` more bytes fit.

    Raises ProdgenError if the whole cache may not have ``size`` bytes.
    """
    budget = settings().cache_mb << 20
    if size > budget:
        raise ProdgenError(
            f"the data set has {size / 1e9:,.1f} GB; this node keeps at most {budget / 1e9:,.1f} GB "
            "(PRODGEN_CACHE_MB)"
        )
    evict(budget - size, [cache / "data", cache / "models"], pinned(cache / "runs"))


def _fetch_newest_checkpoint(store: Store, record: RunRecord, folder: Path) -> Checkpoint | None:
    while newest := newest_checkpoint(store, record.tenant, record.id):
        try:
            fetch_checkpoint(store, record, newest, folder)
        except NotFound:  # a newer checkpoint may have replaced this one during the download
            if newest_checkpoint(store, record.tenant, record.id) == newest:
                raise
        else:
            return newest
    return None


def _fetch_source(store: Store, record: RunRecord, folder: Path, models: Path) -> Path:
    version = resolve(store, record.source or "", record.tenant)
    source = fetch(store, version, models)
    pin(folder, source)
    if isinstance(record.spec, TrainingSpec):
        fetch_discriminator(store, version, source)
    with suppress(NotFound):  # an evaluation adds its figures to the model's card
        (folder / CARD).write_bytes(store.get(f"{version.prefix}/{CARD}"))
    return source
