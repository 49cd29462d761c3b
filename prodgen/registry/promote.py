"""A version takes another's place, or gives it back.

Both read before they write; whoever calls them sees to it that nobody else moves aliases of the same model
meanwhile.
"""

from prodgen.errors import Conflict, NotFound
from prodgen.registry.compare import Comparison, compare
from prodgen.registry.moves import Move, carry_out, history, version_before
from prodgen.registry.versions import Version, aliases, folder, load_metrics
from prodgen.storage.base import Store


def promote(store: Store, candidate: Version, alias: str, *, by: str | None, force: bool = False) -> Move:
    """Let ``alias`` mean the candidate, unless that scores worse than the version in place -> the move.

    Raises Conflict if it does, or if the two cannot be compared; ``force`` promotes it all the same. A
    candidate that is in place stays there, and no move is remembered.
    """
    name, version, tenant = candidate.name, candidate.version, candidate.owner
    current = aliases(store, name, tenant).get(alias)
    if current == version:
        return Move(alias=alias, version=version, replaced=version, by=by)
    figures, refusal = None, None
    if current is not None:
        theirs = load_metrics(store, folder(name, current, tenant))
        figures = compare(load_metrics(store, candidate.prefix), theirs)
        refusal = _refusal(candidate.ref, f"{name}@{current}", alias, figures)
        if refusal and not force:
            raise Conflict(refusal, param="version")
    move = Move(
        alias=alias,
        version=version,
        replaced=current,
        by=by,
        forced=refusal is not None,
        figures=figures,
    )
    carry_out(store, name, tenant, move)
    return move


def rollback(
    store: Store, name: str, alias: str, tenant: str | None, *, by: str | None, leaving: str | None = None
) -> Move:
    """Let ``alias`` mean what it meant before -> the move.

    ``leaving`` is the version to leave: with it, asking twice goes back once. Raises NotFound if there is no
    such alias, Conflict if another version has taken its place, or if there was none before.
    """
    current = aliases(store, name, tenant).get(alias)
    if current is None:
        raise NotFound(f"{name} has no alias {alias!r}", param="alias")
    moves = history(store, name, tenant)
    if leaving not in (None, current):
        last = next((move for move in reversed(moves) if move.alias == alias), None)
        if last and last.rollback and (last.replaced, last.version) == (leaving, current):
            return last
        raise Conflict(f"{name}@{alias} is {current} by now, not {leaving}", param="version")
    version = version_before(moves, alias, current)
    if version is None:
        raise Conflict(f"{name}@{alias} has been no other version than {current}", param="alias")
    move = Move(alias=alias, version=version, replaced=current, by=by, rollback=True)
    carry_out(store, name, tenant, move)
    return move


def _refusal(candidate: str, current: str, alias: str, figures: Comparison) -> str | None:
    """Why the candidate should not be promoted."""
    anyway = "force the promotion if it is to be made all the same"
    if figures.incomparable:
        why = f"{figures.incomparable}; {anyway}"
        return f"{candidate} cannot be compared with {current}, which is {alias}: {why}"
    if figures.worse and figures.candidate and figures.current:
        return (
            f"{candidate} scores worse than {current}, which is {alias}: a Fréchet distance of "
            f"{figures.candidate.fid:.3f} against {figures.current.fid:.3f}, lower is better; {anyway}"
        )
    return None
