"""Loads a version when it becomes production, so that its first order need not wait."""

from prodgen.bundled import bundled_folders
from prodgen.errors import Unavailable
from prodgen.registry.versions import PRODUCTION, aliases
from workers.generate.device import Device, log

FOLLOWED = 16
"""Models whose aliases are read: the bundled ones, and so many of those used last."""

Name = tuple[str, str | None]
"""A model's name and its owner (None: shared)."""


def follow_promotions(device: Device) -> None:
    """Call `load_promoted` at every second tick, about every ten seconds, until the worker drains."""
    known: dict[Name, str] = {}
    while not device.draining.wait(2 * device.settings.tick_seconds):
        try:
            load_promoted(device, known)
        except Unavailable as error:
            log.warning("aliases were not read: %s", error)
        except Exception:  # this thread must survive a broken model
            log.exception("aliases were not read")


def load_promoted(device: Device, known: dict[Name, str]) -> None:
    """Load the production versions of the models that this worker uses.

    ``known`` holds the production version of each model. A version is loaded once, when it becomes
    production: not again if it is unloaded for want of room, or broken.
    """
    here: list[Name] = [
        (loaded.version.name, loaded.version.owner) for loaded in device.models.recent(FOLLOWED)
    ]
    bundled: list[Name] = [(folder.name, None) for folder in bundled_folders()]
    for name, owner in dict.fromkeys(here + bundled):
        version = aliases(device.store, name, owner).get(PRODUCTION)
        if version is None or known.get((name, owner)) == version:
            continue
        try:
            device.model(f"{name}@{version}", owner)
        except Unavailable:
            raise
        except Exception:  # a broken model fails its own orders, not the worker
            log.exception("%s@%s is in production, but could not be loaded", name, version)
        known[name, owner] = version
