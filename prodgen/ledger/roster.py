"""The roster decides which nodes work on which training run, in Redis, as the ledger decides on images.

A run that works has a token (a larger one at each attempt) and members, each of which renews its own
deadline. When one is silent the attempt is over, and the run queued again, for as many nodes as there are
then. What an older token brings does not count. Each change is one script
(``prodgen/jobs/scripts/run_*.lua``).
"""

import json
from dataclasses import astuple
from typing import Any, cast

from prodgen.ledger.entries import Event
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.run_entries import (
    Node,
    Outcome,
    Part,
    RunEnd,
    RunEntry,
    RunHeld,
    RunState,
    Standing,
    Wish,
)


class Roster:
    """The training runs of one deployment, beside its ledger. Safe to share between threads."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.lease_seconds = ledger, ledger.lease_seconds
        self._microseconds = int(ledger.lease_seconds * 1_000_000)
        self._scripts = ledger.scripts

    # Runs

    def enter(
        self, entry: RunEntry, end: RunEnd | None = None, step: int = 0, restarts: int = 0, recovery: str = ""
    ) -> bool:
        """Queue a run, or enter it as the store knows it; False, changing nothing, for a known one.

        ``step`` and ``restarts`` are those of the newest checkpoint, if the run has one.
        """
        standing: tuple[str, int, int, str, float]
        if end:
            standing = (end.state, end.step, end.restarts, end.error or "", end.finished.timestamp())
        else:
            standing = ("queued", step, restarts, "", entry.created)
        return bool(self._scripts.run("run_enter", recovery, *astuple(entry), *standing))

    def wish(self, run: str, wish: Wish) -> RunState | None:
        """Pause, cancel or resume -> the state now (None if unknown); a run that works stops soon."""
        answer = self._scripts.run("run_wish", run, wish)
        return cast("RunState", answer[0]) if answer else None

    def standing(self, run: str) -> Standing | None:
        """Where the run stands; None for an unknown one."""
        views = self._scripts.run("run_view", run)
        return _standing(*views[0]) if views else None

    def runs(self, tenant: str, before: str | None = None, limit: int = 20) -> list[Standing]:
        """A tenant's runs, newest first; ``before`` is the id of the last one seen."""
        found = self._scripts.run("run_list", tenant, before or "", max(1, limit))
        return [_standing(*view) for view in self._scripts.run("run_view", *found)]

    def events(self, run: str, after: str = "0") -> list[Event]:
        """What happened to the run after event ``after``, oldest first; about the last thousand are kept."""
        entries = self._scripts.entries(f"run:{run}:events", after)
        return [Event(id, fields["type"], _told(fields)) for id, fields in entries]

    def stopped(self) -> list[str]:
        """Runs that do not go on, and whose state is not yet known to be in the store."""
        return sorted(self._scripts.read("smembers", "runs", "stopped"))

    def settled(self, run: str, state: RunState) -> None:
        """The store knows that the run is in this state."""
        self._scripts.run("run_settled", run, state)

    def wanting(self) -> int:
        """How many runs an idle node could help."""
        return int(self._scripts.run("run_wanting"))

    # Nodes

    def beat(self, node: str, address: str, devices: int) -> Part | None:
        """The node lives -> what it is a member of. To be said more often than a lease is long."""
        answer = self._scripts.run("run_beat", node, address, devices, self._microseconds)
        return _part(answer) if answer else None

    def leave(self, node: str) -> None:
        """The node is about to go: it is not reserved any more."""
        self._scripts.run("run_leave", node)

    def nodes(self) -> list[Node]:
        """The nodes that live."""
        return [Node(n, a, int(d), run or None) for n, a, d, run in self._scripts.run("run_nodes")]

    def claim(self, node: str, port: int) -> tuple[Part, list[str]] | None:
        """Work for an idle node, which may host the rendezvous at ``port``: its part, and all members."""
        answer = self._scripts.run("run_claim", node, port, self._microseconds)
        return (_part(answer[0]), answer[1] if len(answer) > 1 else []) if answer else None

    def renew(self, part: Part, node: str, step: int = 0, progress: dict[str, Any] | None = None) -> RunHeld:
        """Move a member's deadline on; the host also tells how far it is."""
        told = json.dumps(progress) if progress else ""
        fields = (part.run, part.token, node, self._microseconds, step, told)
        return cast("RunHeld", self._scripts.run("run_renew", *fields))

    def reach(self, part: Part, step: int) -> bool:
        """Whether the attempt still counts, right before its checkpoint of ``step`` becomes the newest."""
        return bool(self._scripts.run("run_reach", part.run, part.token, step))

    def end(self, part: Part, node: str, outcome: Outcome, step: int = 0, message: str = "") -> bool:
        """A member's part has ended; False if the attempt does not count any more."""
        fields = (part.run, part.token, node, outcome, step, message[:500])
        return bool(self._scripts.run("run_end", *fields))

    def expire(self) -> list[tuple[str, RunState]]:
        """Take silent members for lost; the runs that were concerned, and their states."""
        return [(run, state) for run, state in self._scripts.run("run_expire")]


def _part(fields: list[Any]) -> Part:
    run, title, tenant, token, host, address, port, nodes = fields
    return Part(run, title or _untitled(run), tenant, token, host, address, int(port), int(nodes))


def _untitled(run: str) -> str:
    """A run that an earlier version of prodgen entered."""
    return f"run {run[:6]}"


def _standing(id: str, flat: list[str], members: list[str]) -> Standing:
    record: dict[str, Any] = dict(zip(flat[::2], flat[1::2], strict=True))
    return Standing(
        id=id,
        tenant=record["tenant"],
        title=record.get("title") or _untitled(id),
        state=record["state"],
        step=int(record["step"]),
        steps=int(record["steps"]),
        restarts=int(record["restarts"]),
        wish=record.get("wish", ""),
        error=record.get("error"),
        created=float(record["created"]),
        updated=float(record["updated"]),
        members=tuple(sorted(members)),
        progress=json.loads(record.get("progress") or "{}"),
    )


def _told(fields: dict[str, Any]) -> dict[str, Any]:
    """An event's data: type, state, step, steps, restarts, and what the host told."""
    numbers = {name: int(fields[name]) for name in ("step", "steps", "restarts")}
    progress = json.loads(fields["progress"]) if fields.get("progress") else {}
    return {"type": fields["type"], "state": fields["state"], **numbers, **progress}
