"""Model versions in the store: publish one, find out what a name means, fetch it."""

from prodgen.registry.fetch import fetch
from prodgen.registry.publish import publish
from prodgen.registry.seed import seed
from prodgen.registry.versions import Version, aliases, load_config, point, resolve, versions

__all__ = [
    "Version",
    "aliases",
    "fetch",
    "load_config",
    "point",
    "publish",
    "resolve",
    "seed",
    "versions",
]
