"""The roster decides which nodes work on which run. It is stored in Redis beside the ledger of jobs.

Each attempt at a run has a token, larger than that of the previous attempt, and members, each of which renews
its own deadline. When a member misses its deadline, the attempt ends and the run is queued again. Reports
with an older token are ignored. Each change is one Lua script (``scripts/run_*.lua``).
"""

import json
from dataclasses import astuple
from typing import Any, cast

from prodgen.ledger.entries import Event
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.run_entries import (
    Assignment,
    Command,
    Node,
    Outcome,
    RunEnd,
    RunEntry,
    RunLeaseState,
    RunState,
    RunStatus,
)
from prodgen.ledger.scripts import record


class Roster:
    """The runs and the training nodes of one deployment. Threads may share one object."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.lease_seconds = ledger, ledger.lease_seconds
        self._scripts = ledger.scripts

    # Runs

    def add(
        self, entry: RunEntry, end: RunEnd | None = None, step: int = 0, restarts: int = 0, recovery: str = ""
    ) -> bool:
        """Queue a run, or record that it stopped with ``end``.

        Returns False, and changes nothing, for a known run. ``step`` and ``restarts``: of the newest
        checkpoint. Without ``recovery`` (see `Ledger.begin_recovery`) the ledger must be open.
        """
        status: tuple[str | float, ...] = ("queued", step, restarts, "", entry.created)
        if end:
            status = (end.state, end.step, end.restarts, end.error or "", end.finished.timestamp())
        return bool(self._scripts.call("run_add", recovery, *astuple(entry), *status))

    def command(self, run: str, command: Command) -> RunState | None:
        """Pause, cancel or resume a run. Returns the state after the command, or None if the run is unknown.

        A running run keeps its state until its nodes have received the command and stopped.
        """
        answer = self._scripts.call("run_command", run, command)
        return cast("RunState", answer[0]) if answer else None

    def status(self, run: str) -> RunStatus | None:
        """Return the present state and progress of a run, or None if the run is unknown."""
        found = self._statuses([run])
        return found[0] if found else None

    def runs(self, tenant: str, before: str | None = None, limit: int = 20) -> list[RunStatus]:
        """Return a page of a tenant's runs, newest first. ``before``: the last run of the previous page."""
        return self._statuses(self._scripts.call("list", f"runs:of:{tenant}", before or "", max(1, limit)))

    def unended(self, tenant: str) -> list[RunStatus]:
        """Return those of a tenant's runs that have not ended (queued, running or paused), newest first."""
        return self._statuses(self._scripts.call("run_unended", tenant))

    def _statuses(self, runs: list[str]) -> list[RunStatus]:
        views = self._scripts.call("view", "run", *runs)
        records = [record(flat) for _, flat, _ in views]
        nodes = self.nodes() if any(one["state"] == "queued" for one in records) else []
        return [
            _status(id, fields, members, nodes)
            for (id, _, members), fields in zip(views, records, strict=True)
        ]

    def events(self, run: str, after: str = "0") -> list[Event]:
        """Return a run's events after the event ``after`` ("0" for all), oldest first.

        The roster keeps about the last thousand events of a run.
        """
        entries = self._scripts.entries(f"run:{run}:events", after)
        return [Event(id, fields["type"], _event_data(fields)) for id, fields in entries]

    def unsettled(self) -> list[str]:
        """Return the ids of the runs that have stopped and whose end may still be missing in the store."""
        return sorted(self._scripts.read("smembers", "runs", "stopped"))

    def close(self, run: str, state: RunState) -> None:
        """Record that the end of a run, with this ``state``, is in the store."""
        self._scripts.call("run_close", run, state)

    def forget(self, run: str) -> bool:
        """Remove a deleted run. Its end must be in the store. Returns False if unknown."""
        return bool(self._scripts.call("run_forget", run))

    def backlog(self) -> int:
        """Return how many runs wait for nodes: queued ones, and running ones with fewer than requested."""
        return int(self._scripts.call("run_backlog"))

    # Nodes

    def heartbeat(self, node: str, address: str, devices: int) -> Assignment | None:
        """Record that a node is alive, and return its assignment. Call it several times per lease period."""
        answer = self._scripts.call("run_heartbeat", node, address, devices, self.ledger.lease_microseconds)
        return _assignment(answer) if answer else None

    def leave(self, node: str) -> None:
        """Remove a node from the roster. The processes of the node stop its run."""
        self._scripts.call("run_leave", node)

    def nodes(self) -> list[Node]:
        """Return the nodes that are alive."""
        return [Node(n, a, int(d), run or None) for n, a, d, run in self._scripts.call("run_nodes")]

    def claim(self, node: str, port: int) -> tuple[Assignment, list[str]] | None:
        """Reserve idle nodes for the oldest run for which enough are idle. ``node`` becomes its host.

        Returns the assignment and the names of all members, or None if no run can start on this node. The
        members connect to each other at ``port`` of the host. If the node already has an assignment, returns
        it with no members.
        """
        answer = self._scripts.call("run_claim", node, port, self.ledger.lease_microseconds)
        return (_assignment(answer[0]), answer[1] if len(answer) > 1 else []) if answer else None

    def renew(
        self, assignment: Assignment, node: str, step: int = 0, progress: dict[str, Any] | None = None
    ) -> RunLeaseState:
        """Extend a member's deadline and return the state of its lease. Only the host passes ``progress``."""
        report = json.dumps(progress) if progress else ""
        fields = (assignment.run, assignment.token, node, self.ledger.lease_microseconds, step, report)
        return cast("RunLeaseState", self._scripts.call("run_renew", *fields))

    def confirm(self, assignment: Assignment, step: int) -> bool:
        """Return whether the attempt is still the current one of its run.

        If it is, records ``step``. The caller makes the checkpoint of ``step`` the newest right after.
        """
        return bool(self._scripts.call("run_confirm", assignment.run, assignment.token, step))

    def report(
        self, assignment: Assignment, node: str, outcome: Outcome, step: int = 0, message: str = ""
    ) -> bool:
        """Report how a member's work ended. Returns False if the attempt is no longer current."""
        fields = (assignment.run, assignment.token, node, outcome, step, message[:500])
        return bool(self._scripts.call("run_report", *fields))

    def expire(self) -> list[tuple[str, RunState]]:
        """End each attempt in which a member missed its deadline. Returns the runs with their new states."""
        return [(run, state) for run, state in self._scripts.call("run_expire")]


def _assignment(fields: list[Any]) -> Assignment:
    run, title, tenant, token, host, address, port, nodes = fields
    title = title or f"run {run[:6]}"  # an earlier version of prodgen added runs without titles
    return Assignment(run, title, tenant, token, host, address, int(port), int(nodes))


def _status(id: str, fields: dict[str, Any], members: list[str], nodes: list[Node]) -> RunStatus:
    queued = fields["state"] == "queued"
    return RunStatus(
        id=id,
        tenant=fields["tenant"],
        title=fields.get("title") or f"run {id[:6]}",
        state=fields["state"],
        step=int(fields["step"]),
        steps=int(fields["steps"]),
        restarts=int(fields["restarts"]),
        command=fields.get("wish", ""),
        error=fields.get("error"),
        created=float(fields["created"]),
        updated=float(fields["updated"]),
        members=tuple(sorted(members)),
        progress=json.loads(fields.get("progress") or "{}"),
        reason=waiting_reason(int(fields["least"]), int(fields["procs"]), nodes) if queued else None,
    )


def waiting_reason(least: int, procs: int, alive: list[Node]) -> str | None:
    """Return why a run for at least ``least`` nodes cannot start, or None if enough nodes are idle.

    The nodes of a run either all have ``procs`` GPUs or more, or all have none.
    """
    kinds = [[node for node in alive if node.devices >= procs], [node for node in alive if not node.devices]]
    able = max(len(kind) for kind in kinds)
    idle = max(sum(node.run is None for node in kind) for kind in kinds)
    nodes, each = ("nodes", " each") if least > 1 else ("node", "")
    if able < least:
        gpus = f"{procs} GPU{'s' * (procs > 1)}{each}"
        return f"waits for {least} {nodes} with {gpus}, or without GPUs; {_are(able)} alive"
    return f"waits for {least} idle {nodes}; {_are(idle)} idle" if idle < least else None


def _are(number: int) -> str:
    return f"{number} {'is' if number == 1 else 'are'}"


def _event_data(fields: dict[str, Any]) -> dict[str, Any]:
    """Return an event's data: type, state, step, steps, restarts, and each field of the host's progress."""
    numbers = {name: int(fields[name]) for name in ("step", "steps", "restarts")}
    progress = json.loads(fields["progress"]) if fields.get("progress") else {}
    return {"type": fields["type"], "state": fields["state"], **numbers, **progress}
