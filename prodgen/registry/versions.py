"""Which models there are: immutable versions in the store, and the aliases that name them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prodgen.errors import NotFound, ProdgenError
from prodgen.registry.files import CONFIG, LINEAGE, METRICS
from prodgen.spec.lineage import Lineage, parse_lineage
from prodgen.spec.model_config import ModelConfig, parse_config
from prodgen.spec.names import check_name
from prodgen.storage import keys
from prodgen.storage.base import Store

PRODUCTION = "production"
VERSION = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Version:
    """One model that can be ordered. ``prefix`` is its folder in the store, ``owner`` is None if shared."""

    name: str
    version: str
    owner: str | None
    prefix: str
    aliases: tuple[str, ...]
    config: ModelConfig
    created: datetime

    @property
    def ref(self) -> str:
        """``name@version``: means the same model for ever."""
        return f"{self.name}@{self.version}"


def resolve(store: Store, ref: str, tenant: str | None) -> Version:
    """The version that ``name``, ``name@alias`` or ``name@version`` means, the tenant's own before shared.

    A bare name means ``name@production``. Raises NotFound, which lists what there is.
    """
    name, _, selector = ref.partition("@")
    selector = selector or PRODUCTION
    try:
        check_name(name)
        check_name(selector)
    except ProdgenError as error:
        raise ProdgenError(str(error), param="model") from None
    for owner in dict.fromkeys((tenant, None)):
        pointers = aliases(store, name, owner)
        version = pointers.get(selector, selector)
        if VERSION.fullmatch(version):
            try:
                return _version(store, name, version, owner, pointers)
            except NotFound:
                continue
    raise NotFound(_what_there_is(store, name, selector, tenant), param="model")


def versions(store: Store, tenant: str | None) -> list[Version]:
    """Every version that the tenant may use: its own, then the shared ones."""
    found = []
    for owner in dict.fromkeys((tenant, None)):
        pointers: dict[str, dict[str, str]] = {}
        for name, version in _complete(store, owner):
            if name not in pointers:
                pointers[name] = aliases(store, name, owner)
            found.append(_version(store, name, version, owner, pointers[name]))
    return found


def aliases(store: Store, name: str, tenant: str | None) -> dict[str, str]:
    """What each alias of the tenant's own (or the shared, for None) model stands for."""
    try:
        data = store.get(_aliases_key(name, tenant))
    except NotFound:
        return {}
    pointers: dict[str, str] = json.loads(data)
    return pointers


def write_aliases(store: Store, name: str, tenant: str | None, pointers: dict[str, str]) -> None:
    """Put `aliases` in the place of those that were there; `prodgen.registry.moves` says who may."""
    store.put(_aliases_key(name, tenant), json.dumps(pointers, indent=1).encode(), "application/json")


def folder(name: str, version: str, tenant: str | None) -> str:
    """Where a version lies in the store (no trailing slash)."""
    return f"{keys.models(tenant)}{check_name(name)}/{check_name(version)}"


def load_config(store: Store, prefix: str) -> ModelConfig:
    """The config of the version that lies at ``prefix``."""
    key = f"{prefix}/{CONFIG}"
    return parse_config(store.get(key), key)


def load_metrics(store: Store, prefix: str) -> dict[str, Any] | None:
    """metrics.json of the version that lies at ``prefix``; None if it has none that can be read.

    A number that is not finite, which JSON has no word for, is None.
    """
    try:
        found = json.loads(store.get(f"{prefix}/{METRICS}"), parse_constant=lambda _: None)
    except (NotFound, ValueError):
        return None
    return found if isinstance(found, dict) else None


def load_lineage(store: Store, prefix: str) -> Lineage | None:
    """lineage.json of the version that lies at ``prefix``, if it has one."""
    key = f"{prefix}/{LINEAGE}"
    try:
        return parse_lineage(store.get(key), key)
    except NotFound:
        return None


def _version(store: Store, name: str, version: str, owner: str | None, pointers: dict[str, str]) -> Version:
    prefix = folder(name, version, owner)
    created = store.stat(f"{prefix}/{CONFIG}").modified
    named = tuple(sorted(alias for alias, target in pointers.items() if target == version))
    return Version(name, version, owner, prefix, named, load_config(store, prefix), created)


def _complete(store: Store, owner: str | None) -> Iterator[tuple[str, str]]:
    """(name, version) of every version whose config, the last file to come, is there."""
    prefix = keys.models(owner)
    for info in store.list(prefix):
        parts = info.key.removeprefix(prefix).split("/")
        if len(parts) == 3 and parts[2] == CONFIG and VERSION.fullmatch(parts[1]):
            yield parts[0], parts[1]


def _aliases_key(name: str, tenant: str | None) -> str:
    return f"{keys.models(tenant)}{check_name(name)}/aliases.json"


def _what_there_is(store: Store, name: str, selector: str, tenant: str | None) -> str:
    found: dict[str, list[str]] = {}
    for owner in dict.fromkeys((tenant, None)):
        for model, version in _complete(store, owner):
            found.setdefault(model, []).append(version)
        if name in found:
            found[name] += aliases(store, name, owner)
    if name in found:
        return f"{name} has no version or alias {selector!r}; it has {', '.join(dict.fromkeys(found[name]))}"
    if found:
        return f"there is no model {name!r}; there are {', '.join(found)}"
    return f"there is no model {name!r}; none has been published yet"
