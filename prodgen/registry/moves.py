"""Where aliases point, and every move that they have made.

The pointers (``aliases.json``) and the moves (``history.jsonl``) of a model are files that are read, changed
and written. Over HTTP those who move an alias take turns. Whoever works on the store itself (`publish`,
`seed`, `point`) does not: of two who move aliases of one model in the same instant, one may have to do so
again.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from prodgen.errors import NotFound, ProdgenError
from prodgen.registry.compare import Comparison
from prodgen.registry.files import CONFIG
from prodgen.registry.versions import VERSION, aliases, folder, write_aliases
from prodgen.spec.names import check_name
from prodgen.storage import keys
from prodgen.storage.base import Store


class Move(BaseModel):
    """An alias went from the version ``replaced`` (None: it is new) to ``version``.

    ``by`` is the id of an API key; None for those who work on the store itself. ``forced``: in spite of the
    ``figures``, which are None where nothing was compared.
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


_Moves = TypeAdapter(list[Move])


def point(store: Store, name: str, alias: str, version: str, tenant: str | None) -> None:
    """Let ``name@alias`` mean ``version`` from now on. Raises NotFound if there is no such version."""
    replaced = aliases(store, name, tenant).get(alias)
    if replaced != version:
        carry_out(store, name, tenant, Move(alias=alias, version=version, replaced=replaced))


def carry_out(store: Store, name: str, tenant: str | None, move: Move) -> None:
    """Make the move, then remember it: a history that was cut short lacks a move but never invents one."""
    check_name(move.alias)
    if VERSION.fullmatch(move.alias):
        raise ProdgenError(f"the alias {move.alias!r} looks like a version; choose a word", param="alias")
    store.stat(f"{folder(name, move.version, tenant)}/{CONFIG}")
    moves = [*history(store, name, tenant), move]
    write_aliases(store, name, tenant, {**aliases(store, name, tenant), move.alias: move.version})
    lines = b"".join(m.model_dump_json().encode() + b"\n" for m in moves)
    store.put(_key(name, tenant), lines, "application/jsonl")


def history(store: Store, name: str, tenant: str | None) -> list[Move]:
    """Every move of the model's aliases, oldest first."""
    try:
        data = store.get(_key(name, tenant))
    except NotFound:
        return []
    return _Moves.validate_json(b"[" + b",".join(data.splitlines()) + b"]")


def version_before(moves: Sequence[Move], alias: str, current: str) -> str | None:
    """What ``alias`` stood for before ``current``; None if that was the first.

    Who rolls back twice goes back by two: no roll back ever leads to a version that was rolled back.
    """
    stood: list[str] = []
    for move in moves:
        if move.alias != alias:
            continue
        if move.replaced and stood[-1:] != [move.replaced]:  # by a move that was not remembered
            stood.append(move.replaced)
        if move.rollback and move.version in stood:
            while stood[-1] != move.version:
                stood.pop()
        else:
            stood.append(move.version)
    if stood[-1:] != [current]:
        stood.append(current)
    return stood[-2] if len(stood) > 1 else None


def _key(name: str, tenant: str | None) -> str:
    return f"{keys.models(tenant)}{check_name(name)}/history.jsonl"
