"""Promote a version to an alias, and roll an alias back to its previous version.

The caller must ensure that no other process changes aliases of the same model during a call.
"""

from prodgen.errors import Conflict, NotFound
from prodgen.registry.alias_history import AliasChange, apply_change, history, previous_version
from prodgen.registry.compare import Comparison, compare
from prodgen.registry.versions import Version, aliases, folder, load_metrics
from prodgen.storage.base import Store


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
        raise Conflict(f"{name}@{alias} has been no other version than {current}", param="alias")
    change = AliasChange(alias=alias, version=version, replaced=current, by=by, rollback=True)
    apply_change(store, name, tenant, change)
    return change


def _refusal(candidate: str, current: str, alias: str, figures: Comparison) -> str | None:
    """Return the reason why the candidate should not be promoted, or None."""
    anyway = "force the promotion to make it all the same"
    if figures.incomparable:
        why = f"{figures.incomparable}; {anyway}"
        return f"{candidate} cannot be compared with {current}, which is {alias}: {why}"
    if figures.worse and figures.candidate and figures.current:
        return (
            f"{candidate} scores worse than {current}, which is {alias}: a Fréchet distance of "
            f"{figures.candidate.fid:.3f} against {figures.current.fid:.3f}, lower is better; {anyway}"
        )
    return None
