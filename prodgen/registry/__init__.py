"""Model versions in the store: publish one, find out what a name means, fetch it, give it another's place."""

from prodgen.registry.compare import Comparison, Figure, compare, headline
from prodgen.registry.fetch import fetch, fetch_discriminator, has_discriminator
from prodgen.registry.moves import Move, history, point
from prodgen.registry.promote import promote, rollback
from prodgen.registry.publish import publish
from prodgen.registry.seed import seed
from prodgen.registry.versions import (
    PRODUCTION,
    Version,
    aliases,
    load_config,
    load_lineage,
    load_metrics,
    resolve,
    versions,
)

__all__ = [
    "PRODUCTION",
    "Comparison",
    "Figure",
    "Move",
    "Version",
    "aliases",
    "compare",
    "fetch",
    "fetch_discriminator",
    "has_discriminator",
    "headline",
    "history",
    "load_config",
    "load_lineage",
    "load_metrics",
    "point",
    "promote",
    "publish",
    "resolve",
    "rollback",
    "seed",
    "versions",
]
