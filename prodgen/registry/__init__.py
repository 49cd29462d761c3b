"""Model versions in the store: publish, resolve, fetch, promote and roll back."""

from prodgen.registry.alias_history import AliasChange, history, set_alias
from prodgen.registry.bundled import publish_bundled
from prodgen.registry.compare import Comparison, Figure, compare, fid_figure
from prodgen.registry.fetch import fetch, fetch_discriminator, has_discriminator
from prodgen.registry.promote import promote, rollback
from prodgen.registry.publish import publish
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
    "AliasChange",
    "Comparison",
    "Figure",
    "Version",
    "aliases",
    "compare",
    "fetch",
    "fetch_discriminator",
    "fid_figure",
    "has_discriminator",
    "history",
    "load_config",
    "load_lineage",
    "load_metrics",
    "promote",
    "publish",
    "publish_bundled",
    "resolve",
    "rollback",
    "set_alias",
    "versions",
]
