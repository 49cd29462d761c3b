"""Change the aliases of a model, and record each change in its history.

A change reads the model's ``aliases.json`` and ``history.jsonl`` and writes them back. The gateway holds a
lock meanwhile. A command that opens the store without the gateway holds no lock. If two such commands change
aliases of one model at the same moment, one change may be lost and must be repeated.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from prodgen.errors import NotFound, ProdgenError
from prodgen.registry.compare import Comparison
from prodgen.registry.model_files import CONFIG
from prodgen.registry.versions import VERSION, aliases, folder, write_aliases
from prodgen.spec.names import check_name
from prodgen.storage import keys
from prodgen.storage.base import Store


class AliasChange(BaseModel):
    """The change of an alias from the version ``replaced`` (None for a new alias) to ``version``.

    ``by`` is the id of an API key, or None for a command that opened the store without the gateway.
    ``figures`` is None if nothing was compared. ``forced`` means that force overruled a refusal.
    """

    model_config = ConfigDict(frozen=True)

    alias: str
    version: str
    replaced: str | None
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    by: str | None = None
    forced: bool = False
    rollback: bool = False
    figures: Comparison | None = None


_Changes = TypeAdapter(list[AliasChange])


def set_alias(store: Store, name: str, alias: str, version: str, tenant: str | None) -> None:
    """Make ``name@alias`` mean ``version`` and record the change; raises NotFound for an unknown version."""
    replaced = aliases(store, name, tenant).get(alias)
    if replaced != version:
        apply_change(store, name, tenant, AliasChange(alias=alias, version=version, replaced=replaced))


def apply_change(store: Store, name: str, tenant: str | None, change: AliasChange) -> None:
    """Change the alias, then add the change to the history.

    A crash between the two steps leaves a change without a record, never a record without a change.
    """
    check_name(change.alias)
    if VERSION.fullmatch(change.alias):
        raise ProdgenError(f"the alias {change.alias!r} looks like a version; choose a word", param="alias")
    store.stat(f"{folder(name, change.version, tenant)}/{CONFIG}")
    changes = [*history(store, name, tenant), change]
    write_aliases(store, name, tenant, {**aliases(store, name, tenant), change.alias: change.version})
    lines = b"".join(each.model_dump_json().encode() + b"\n" for each in changes)
    store.put(_key(name, tenant), lines, "application/jsonl")


def history(store: Store, name: str, tenant: str | None) -> list[AliasChange]:
    """Return every recorded change of the model's aliases, oldest first."""
    try:
        data = store.get(_key(name, tenant))
    except NotFound:
        return []
    return _Changes.validate_json(b"[" + b",".join(data.splitlines()) + b"]")


def previous_version(changes: Sequence[AliasChange], alias: str, current: str) -> str | None:
    """Return the version that ``alias`` meant before ``current``; None if it never meant another version.

    A roll back deletes the abandoned version from the list of earlier versions. So two roll backs go back by
    two versions, and no roll back returns to an abandoned version.
    """
    earlier: list[str] = []
    for change in changes:
        if change.alias != alias:
            continue
        if change.replaced and earlier[-1:] != [change.replaced]:  # set by a change without a record
            earlier.append(change.replaced)
        if change.rollback and change.version in earlier:
            while earlier[-1] != change.version:
                earlier.pop()
        else:
            earlier.append(change.version)
    if earlier[-1:] != [current]:
        earlier.append(current)
    return earlier[-2] if len(earlier) > 1 else None


def _key(name: str, tenant: str | None) -> str:
    return f"{keys.models(tenant)}{check_name(name)}/history.jsonl"
