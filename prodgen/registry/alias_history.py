"""Change the aliases of a model, and record each change in its history.

The aliases (``aliases.json``) and the history (``history.jsonl``) of a model are read, changed and written
back. The gateway holds a lock meanwhile. Commands that work on the store itself do not, so of two that change
aliases of one model in the same instant, one may have to be repeated.
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
    """An alias was changed from the version ``replaced`` (None: it is new) to ``version``.

    ``by`` is the id of an API key, or None for a command that worked on the store itself. ``figures`` is None
    if the versions were not compared; ``forced`` means that the alias was changed in spite of the figures.
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
    """Make ``name@alias`` mean ``version``; raises NotFound if there is no such version."""
    replaced = aliases(store, name, tenant).get(alias)
    if replaced != version:
        apply_change(store, name, tenant, AliasChange(alias=alias, version=version, replaced=replaced))


def apply_change(store: Store, name: str, tenant: str | None, change: AliasChange) -> None:
    """Change the alias, then add the change to the history.

    A crash in between leaves a change without a record, never a record of a change that was not made.
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
    """Return the version that ``alias`` meant before ``current``; None if it meant no other.

    A roll back takes the version that it leaves out of the list of earlier versions. So two roll backs go
    back by two versions, and none leads to a version that was rolled back.
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
