"""After a promotion, the version now in production is loaded before its first order, which need not wait."""

from prodgen.bundled import bundled_folders
from prodgen.errors import Unavailable
from prodgen.registry import PRODUCTION, aliases
from workers.generate.device import Station, log

FOLLOWED = 16
"""Models whose alias is looked up: those used last, and the bundled ones."""

Name = tuple[str, str | None]
"""A model's name and its owner (None: shared)."""


def follow(station: Station) -> None:
    """Look every second tick, about ten seconds, until the worker drains."""
    known: dict[Name, str] = {}
    while not station.draining.wait(2 * station.settings.tick_seconds):
        try:
            look(station, known)
        except Unavailable as error:
            log.warning("aliases not looked up: %s", error)
        except Exception:  # this thread must outlive whatever is wrong with a model
            log.exception("aliases not looked up")


def look(station: Station, known: dict[Name, str]) -> None:
    """Load what has become production of models of which another version is here.

    ``known`` holds what production was: a version is loaded when it becomes production, and not again should
    it be unloaded for want of room, or be broken.
    """
    here: list[Name] = [(warm.version.name, warm.version.owner) for warm in station.shelf.recent(FOLLOWED)]
    bundled: list[Name] = [(folder.name, None) for folder in bundled_folders()]
    for name, owner in dict.fromkeys(here + bundled):
        version = aliases(station.store, name, owner).get(PRODUCTION)
        if version is None or known.get((name, owner)) == version:
            continue
        try:
            station.model(f"{name}@{version}", owner)
        except Unavailable:
            raise
        except Exception:  # its orders' business
            log.exception("%s@%s is in production, but not warm", name, version)
        known[name, owner] = version
