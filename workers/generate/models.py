"""The models that a worker has in memory, tuned, within a budget of bytes."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Container
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from prodgen.generation.engine import Engine
from prodgen.models import SavedModel, load_model
from prodgen.registry import Version, fetch, resolve
from prodgen.settings import settings
from prodgen.storage import Store
from prodgen.storage.cache import make_room

log = logging.getLogger("prodgen.worker")

RECENT = 4
"""Models that count as in use: those asked for last."""


@dataclass(frozen=True)
class Warm:
    """A model in memory: which version it is, images a second, and bytes of parameters and buffers."""

    version: Version
    model: SavedModel
    rate: float
    size: int


class Shelf:
    """Models by ``name@version``. Safe to share between threads.

    ``in_use`` tells which are being worked with: those stay, and count, however little room there is. One
    that was taken from here a moment ago, and is not worked with yet, may go: its taker keeps it alive.
    """

    def __init__(
        self, store: Store, engine: Engine, cache: Path, budget: int, in_use: Callable[[], Container[str]]
    ) -> None:
        self._store, self._engine, self._cache, self._budget = store, engine, cache, budget
        self._in_use = in_use
        self._warm: OrderedDict[str, Warm] = OrderedDict()
        self._loading, self._shelf = threading.Lock(), threading.Lock()

    def model(self, ref: str, tenant: str | None) -> SavedModel:
        """A version, loaded and tuned; those used least recently go where there is no room for all."""
        if model := self._loaded(ref):
            return model
        with self._loading:  # one at a time; whoever wants a model that is loaded does not wait
            if model := self._loaded(ref):
                return model
            version = resolve(self._store, ref, tenant)
            model = load_model(fetch(self._store, version, self._cache), version.name, self._engine.device)
            make_room(settings().cache_mb << 20, [self._cache])
            rate = max(self._engine.forward.tune(model).values())
            log.info("%s is warm: %.0f images/s", ref, rate)
            with self._shelf:
                self._warm[ref] = Warm(version, model, rate, size_of(model))
                self._make_room()
            return model

    def recent(self, count: int = RECENT) -> list[Warm]:
        """The models used last, newest first."""
        with self._shelf:
            return [*islice(reversed(self._warm.values()), count)]

    def _loaded(self, ref: str) -> SavedModel | None:
        with self._shelf:
            if ref not in self._warm:
                return None
            self._warm.move_to_end(ref)
            return self._warm[ref].model

    def _make_room(self) -> None:
        """Unload what was used least recently, but not the newest, nor what is in use."""
        excess = sum(warm.size for warm in self._warm.values()) - self._budget
        busy = self._in_use()
        for ref in [*self._warm][:-1]:
            if excess > 0 and ref not in busy:
                excess -= self._warm.pop(ref).size
                log.info("%s is unloaded", ref)


def size_of(model: SavedModel) -> int:
    """Bytes of a model's parameters and buffers."""
    generator = model.generator
    return sum(t.numel() * t.element_size() for t in chain(generator.parameters(), generator.buffers()))
