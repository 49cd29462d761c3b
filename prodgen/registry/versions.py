"""Find and read the models in the store: versions, which never change, and the aliases that name them."""

import json
import logging
import re
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from prodgen.errors import NotFound, ProdgenError, Unavailable
from prodgen.spec.model_config import (
    CONFIG,
    LINEAGE,
    METRICS,
    Lineage,
    ModelConfig,
    parse_config,
    parse_lineage,
)
from prodgen.spec.names import check_name
from prodgen.spec.quality import QUALITY, Quality, gated_attribute, parse_quality
from prodgen.storage import keys
from prodgen.storage.base import Store

log = logging.getLogger(__name__)
PRODUCTION = "production"
VERSION = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Version:
    """A version of a model. ``prefix`` is its folder in the store. ``owner`` is a tenant; None if shared."""

    name: str
    version: str
    owner: str | None
    prefix: str
    aliases: tuple[str, ...]
    config: ModelConfig
    created: datetime

    @property
    def id(self) -> str:
        """Return ``name@version``, which always means the same model."""
        return f"{self.name}@{self.version}"


def resolve(store: Store, ref: str, tenant: str | None) -> Version:
    """Return the version that ``ref`` means: ``name``, ``name@alias`` or ``name@version``.

    A bare name means ``name@production``. The tenant's own models are tried before shared models of the same
    name. Raises NotFound for an unknown ``ref``; its message lists the models or versions that exist.
    """
    name, _, selector = ref.partition("@")
    selector = selector or PRODUCTION
    check_name(name, "model")
    check_name(selector, "model")
    for owner in dict.fromkeys((tenant, None)):
        pointers = aliases(store, name, owner)
        version = pointers.get(selector, selector)
        if VERSION.fullmatch(version):
            try:
                return _version(store, name, version, owner, pointers)
            except NotFound:
                continue
    raise NotFound(_not_found_message(store, name, selector, tenant), param="model")


def versions(store: Store, tenant: str | None) -> list[Version]:
    """Return every version that the tenant may use: its own, then the shared ones."""
    found = []
    for owner in dict.fromkeys((tenant, None)):
        pointers: dict[str, dict[str, str]] = {}
        for name, version, created in _complete(store, owner):
            if name not in pointers:
                pointers[name] = aliases(store, name, owner)
            try:
                found.append(_version(store, name, version, owner, pointers[name], created))
            except Unavailable:
                raise
            except ProdgenError as error:  # of a later version of prodgen, perhaps; the others still work
                log.warning("%s@%s is not listed: %s", name, version, error)
    return found


def aliases(store: Store, name: str, tenant: str | None) -> dict[str, str]:
    """Return a dict of alias -> version for a tenant's own model, or (``tenant`` None) for a shared model."""
    try:
        data = store.get(_aliases_key(name, tenant))
    except NotFound:
        return {}
    pointers: dict[str, str] = json.loads(data)
    return pointers


def write_aliases(store: Store, name: str, tenant: str | None, pointers: dict[str, str]) -> None:
    """Replace all aliases of the model. Only `prodgen.registry.aliases` may call this function."""
    store.put(_aliases_key(name, tenant), json.dumps(pointers, indent=1).encode(), "application/json")
    store.put(keys.ALIASES_CHANGED, uuid.uuid4().hex.encode(), "text/plain")


def aliases_mark(store: Store) -> bytes:
    """Return bytes that change whenever any alias changes. Needs one request to the store."""
    try:
        return store.get(keys.ALIASES_CHANGED)
    except NotFound:
        return b""


def folder(name: str, version: str, tenant: str | None) -> str:
    """Return the folder of a version in the store (no trailing slash)."""
    return f"{keys.models(tenant)}{check_name(name)}/{check_name(version)}"


def load_config(store: Store, prefix: str) -> ModelConfig:
    """Read the config.json of the version in the folder ``prefix``. Raises NotFound if there is none."""
    key = f"{prefix}/{CONFIG}"
    return parse_config(store.get(key), key)


def version_exists(store: Store, prefix: str) -> bool:
    """Return whether the folder ``prefix`` has a config.json. Without it, the version does not exist."""
    try:
        store.stat(f"{prefix}/{CONFIG}")
    except NotFound:
        return False
    return True


def load_metrics(store: Store, prefix: str) -> dict[str, Any] | None:
    """Read the metrics.json of the version in the folder ``prefix``; None if it is missing or broken.

    NaN and infinite numbers become None.
    """
    try:
        found = json.loads(store.get(f"{prefix}/{METRICS}"), parse_constant=lambda _: None)
    except (NotFound, ValueError):
        return None
    return found if isinstance(found, dict) else None


def load_lineage(store: Store, prefix: str) -> Lineage | None:
    """Read the lineage.json of the version in the folder ``prefix``; None if it is missing."""
    key = f"{prefix}/{LINEAGE}"
    try:
        return parse_lineage(store.get(key), key)
    except NotFound:
        return None


def load_quality(store: Store, version: Version) -> Quality:
    """Read the quality.json of a version.

    Raises ProdgenError if the version has no quality.json, or no colour that the quality gate can measure.
    """
    with suppress(NotFound):
        if gated_attribute(version.config.attributes, version.config.channels):
            return _read_quality(store, version.prefix)
    raise ProdgenError(
        f"{version.id} has no threshold for a quality gate; leave quality_gate out, or order by a version "
        "with colours and transparency that has one",
        param="quality_gate",
    )


@lru_cache(1024)  # a threshold never changes
def _read_quality(store: Store, prefix: str) -> Quality:
    key = f"{prefix}/{QUALITY}"
    return parse_quality(store.get(key), key)


_load_config = lru_cache(1024)(load_config)  # a version never changes


def _version(
    store: Store,
    name: str,
    version: str,
    owner: str | None,
    pointers: dict[str, str],
    created: datetime | None = None,
) -> Version:
    prefix = folder(name, version, owner)
    created = created or store.stat(f"{prefix}/{CONFIG}").modified
    named = tuple(sorted(alias for alias, target in pointers.items() if target == version))
    return Version(name, version, owner, prefix, named, _load_config(store, prefix), created)


def _complete(store: Store, owner: str | None) -> Iterator[tuple[str, str, datetime]]:
    """Yield (name, version, created) of every version whose config exists; the config is uploaded last."""
    prefix = keys.models(owner)
    for info in store.list(prefix):
        parts = info.key.removeprefix(prefix).split("/")
        if len(parts) == 3 and parts[2] == CONFIG and VERSION.fullmatch(parts[1]):
            yield parts[0], parts[1], info.modified


def _aliases_key(name: str, tenant: str | None) -> str:
    return f"{keys.models(tenant)}{check_name(name)}/aliases.json"


def _not_found_message(store: Store, name: str, selector: str, tenant: str | None) -> str:
    found: dict[str, list[str]] = {}
    for owner in dict.fromkeys((tenant, None)):
        for model, version, _ in _complete(store, owner):
            found.setdefault(model, []).append(version)
        if name in found:
            found[name] += aliases(store, name, owner)
    if name in found:
        return f"{name} has no version or alias {selector!r}; it has {', '.join(dict.fromkeys(found[name]))}"
    if found:
        return f"there is no model {name!r}; there are {', '.join(found)}"
    return f"there is no model {name!r}; none has been published yet"
