"""The models that come with the package, put where everybody may order from them."""

from prodgen.bundled import bundled_folders
from prodgen.registry.publish import publish
from prodgen.registry.versions import PRODUCTION, Version, aliases
from prodgen.storage.base import Store


def seed(store: Store) -> list[Version]:
    """Publish every bundled model, unless it is there; an alias that somebody has set stays where it is."""
    published = []
    for folder in bundled_folders():
        pointed = aliases(store, folder.name, None)
        published.append(
            publish(store, folder, folder.name, None, () if PRODUCTION in pointed else (PRODUCTION,))
        )
    return published
