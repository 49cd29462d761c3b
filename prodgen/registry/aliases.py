"""Change the aliases of a model, and record each change in the model's history.

A change reads ``aliases.json`` and ``history.jsonl`` and writes both back. The gateway holds a lock
meanwhile. A command that opens the store directly holds none, so one of two simultaneous changes may be lost.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from prodgen.errors import Conflict, NotFound, ProdgenError
from prodgen.registry.compare import Comparison, compare
from prodgen.registry.versions import VERSION, Version, aliases, folder, load_metrics, write_aliases
from prodgen.spec.model_config import CONFIG
from prodgen.spec.names import check_name
from prodgen.storage import keys
from prodgen.storage.base import Store, exists


class AliasChange(BaseModel):
    """The change of an alias from the version ``replaced`` (None for a new alias) to ``version``.

    ``by`` is the id of the API key that made the change, or None for a command that opened the store without
    the gateway. ``figures`` is None if no figures were compared. ``forced`` is true if the change would have
    been refused without force.
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
    """Make ``name@alias`` mean ``version``, and record this. Raises NotFound if there is no such version."""
    replaced = aliases(store, name, tenant).get(alias)
    if replaced != version:
        apply_change(store, name, tenant, AliasChange(alias=alias, version=version, replaced=replaced))


def apply_change(store: Store, name: str, tenant: str | None, change: AliasChange) -> None:
    """Change the alias, then add the change to the history.

    After a crash between the two steps, the alias is changed, but the history lacks the change.
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

    A version that a roll back has left is not returned again, unless it is promoted again. So two roll backs
    go back by two versions.
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


def promote(
    store: Store, candidate: Version, alias: str, *, by: str | None, force: bool = False
) -> AliasChange:
    """Make ``alias`` mean the version ``candidate``; return the change.

    Raises Conflict if the candidate scores worse than the alias's current version, or cannot be compared with
    it, unless ``force`` is set. If the alias means the candidate already, nothing is changed or recorded.
    """
    name, version, tenant = candidate.name, candidate.version, candidate.owner
    current = aliases(store, name, tenant).get(alias)
    if current == version:
        return AliasChange(alias=alias, version=version, replaced=version, by=by)
    figures, refusal = None, None
    if current is not None:
        theirs = load_metrics(store, folder(name, current, tenant))
        figures = compare(load_metrics(store, candidate.prefix), theirs)
        refusal = _refusal(candidate.id, f"{name}@{current}", alias, figures)
        if refusal and not force:
            raise Conflict(refusal, param="version")
    change = AliasChange(
        alias=alias,
        version=version,
        replaced=current,
        by=by,
        forced=refusal is not None,
        figures=figures,
    )
    apply_change(store, name, tenant, change)
    return change


def rollback(
    store: Store, name: str, alias: str, tenant: str | None, *, by: str | None, leaving: str | None = None
) -> AliasChange:
    """Make ``alias`` mean its previous version; return the change.

    ``leaving`` is the version that the alias should mean before the call; with it, a request that is sent
    twice rolls back only once. Raises NotFound if there is no such alias, and Conflict if the alias means
    another version than ``leaving`` or has no previous version.
    """
    current = aliases(store, name, tenant).get(alias)
    if current is None:
        raise NotFound(f"{name} has no alias {alias!r}", param="alias")
    changes = history(store, name, tenant)
    if leaving not in (None, current):
        last = next((change for change in reversed(changes) if change.alias == alias), None)
        if last and last.rollback and (last.replaced, last.version) == (leaving, current):
            return last
        raise Conflict(f"{name}@{alias} is {current} by now, not {leaving}", param="version")
    version = previous_version(changes, alias, current)
    if version is None:
        raise Conflict(
            f"{name}@{alias} is {current}, and there is no earlier version to go back to", param="alias"
        )
    if not exists(store, f"{folder(name, version, tenant)}/{CONFIG}"):
        raise Conflict(f"{name}@{version}, which {name}@{alias} was before, is removed", param="alias")
    change = AliasChange(alias=alias, version=version, replaced=current, by=by, rollback=True)
    apply_change(store, name, tenant, change)
    return change


def _refusal(candidate: str, current: str, alias: str, figures: Comparison) -> str | None:
    """Return the reason why the candidate should not be promoted, or None."""
    if figures.incomparable:
        return (
            f"{candidate} cannot be compared with {current}, which is {alias}: {figures.incomparable}; "
            "force the promotion to make it all the same"
        )
    if figures.worse and figures.candidate and figures.current:
        return (
            f"{candidate} scores worse than {current}, which is {alias}: a Fréchet distance of "
            f"{figures.candidate.fid:.3f} against {figures.current.fid:.3f}, lower is better; "
            "force the promotion to make it all the same"
        )
    return None


def _key(name: str, tenant: str | None) -> str:
    return f"{keys.models(tenant)}{check_name(name)}/history.jsonl"
