"""The models that a worker has in memory, loaded and tuned, within a budget of bytes."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Container
from dataclasses import dataclass
from itertools import islice
from math import inf
from pathlib import Path

from prodgen.bundled import bundled_folders
from prodgen.errors import Unavailable
from prodgen.generation.engine import Engine
from prodgen.models import SavedModel, load_model
from prodgen.photographs.studio import Studio, load_studio
from prodgen.registry.fetch import fetch
from prodgen.registry.versions import PRODUCTION, Version, aliases, aliases_mark, resolve
from prodgen.settings import settings
from prodgen.spec.model_config import STUDIO
from prodgen.storage import Store
from prodgen.storage.cache import evict

log = logging.getLogger("prodgen.worker")

RECENT = 4
"""How many models `ModelCache.recent` returns, and how many models a worker loads at its start."""
FOLLOWED = 16
"""How many of the most recently used models a worker watches for promotions, beside all bundled models."""

Name = tuple[str, str | None]
"""A model's name and the tenant that owns it (None: a shared model)."""


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory. ``rate`` is in images a second, ``size`` in bytes of parameters and buffers.

    A `Studio` has the rate infinity, because its jobs fix the length of their leases, and the size 0.
    """

    version: Version
    model: SavedModel | Studio
    rate: float
    size: int


class ModelCache:
    """The models in memory, by ``name@version``. Threads may share one object.

    If the models are larger than ``budget`` bytes, the least recently used ones are unloaded. ``in_use()``
    returns the models that leases use now, which are never unloaded. ``folder`` keeps fetched models.
    """

    def __init__(
        self, store: Store, engine: Engine, folder: Path, budget: int, in_use: Callable[[], Container[str]]
    ) -> None:
        self._store, self._engine, self._folder, self._budget = store, engine, folder, budget
        self._in_use = in_use
        self._loaded: OrderedDict[str, LoadedModel] = OrderedDict()
        self._loading, self._changing = threading.Lock(), threading.Lock()
        self._looked: tuple[bytes, frozenset[Name]] | None = None
        """The state of all aliases when `load_promoted` last read them, and the models of that call."""

    def load(self, ref: str, tenant: str | None) -> SavedModel | Studio:
        """Return the model ``ref``. If it is not in memory, first fetches, loads and tunes it."""
        if model := self.find(ref):
            return model
        with self._loading:  # loads one at a time; callers of a loaded model do not wait here
            if model := self.find(ref):
                return model
            version = resolve(self._store, ref, tenant)
            folder = fetch(self._store, version, self._folder)
            evict(settings().cache_mb << 20, [self._folder])
            loaded = self._load(version, folder)
            with self._changing:
                self._loaded[ref] = loaded
                self._make_room()
            return loaded.model

    def _load(self, version: Version, folder: Path) -> LoadedModel:
        if version.config.family == STUDIO:
            return LoadedModel(version, load_studio(folder, version.name), inf, 0)
        model = load_model(folder, version.name, self._engine.device)
        rate = max(self._engine.forward.tune(model).values())
        log.info("%s is loaded: %.0f images/s", version.id, rate)
        return LoadedModel(version, model, rate, model.generator.size_in_bytes())

    def recent(self, count: int = RECENT) -> list[LoadedModel]:
        """Return the ``count`` most recently used models, the newest first."""
        with self._changing:
            return [*islice(reversed(self._loaded.values()), count)]

    def find(self, ref: str) -> SavedModel | Studio | None:
        """Return the model ``ref``, or None if it is not in memory."""
        with self._changing:
            if ref not in self._loaded:
                return None
            self._loaded.move_to_end(ref)
            return self._loaded[ref].model

    def _make_room(self) -> None:
        """Unload the least recently used models until the rest fits the budget.

        Never unloads the newest model or a model in use.
        """
        excess = sum(loaded.size for loaded in self._loaded.values()) - self._budget
        busy = self._in_use()
        for ref in [*self._loaded][:-1]:
            if excess > 0 and ref not in busy:
                excess -= self._loaded.pop(ref).size
                log.info("%s is unloaded", ref)

    def load_promoted(self, known: dict[Name, str]) -> None:
        """Load the new production version of each model that this worker uses, before an order needs it.

        ``known``: the production version of each model at the last call; this call updates it. A version is
        loaded only once: not again after it was unloaded, or if it is broken.
        """
        names: list[Name] = [(used.version.name, used.version.owner) for used in self.recent(FOLLOWED)]
        names += [(folder.name, None) for folder in bundled_folders()]
        looked = (aliases_mark(self._store), frozenset(names))
        if looked == self._looked:
            return
        for name, owner in dict.fromkeys(names):
            version = aliases(self._store, name, owner).get(PRODUCTION)
            if version is None or known.get((name, owner)) == version:
                continue
            try:
                self.load(f"{name}@{version}", owner)
            except Unavailable:
                raise
            except Exception:  # a broken model fails its own orders, not the worker
                log.exception("%s@%s is in production, but could not be loaded", name, version)
            known[name, owner] = version
        self._looked = looked
