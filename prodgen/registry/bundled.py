"""Publish the models that come with the package, for all tenants."""

from prodgen.bundled import bundled_folders
from prodgen.registry.publish import publish
from prodgen.registry.versions import PRODUCTION, Version, aliases
from prodgen.storage.base import Store


def publish_bundled(store: Store) -> list[Version]:
    """Publish every bundled model and return the versions; an existing `production` alias is not changed."""
    published = []
    for folder in bundled_folders():
        new_aliases = () if PRODUCTION in aliases(store, folder.name, None) else (PRODUCTION,)
        published.append(publish(store, folder, folder.name, None, new_aliases))
    return published
