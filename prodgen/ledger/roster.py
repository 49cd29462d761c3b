"""The roster decides which nodes work on which run. Its data is in Redis, beside the ledger of jobs.

Each attempt at a run has members, and a token that is larger than the token of the attempt before. Each
member renews its own deadline. If a member misses its deadline, the attempt ends and the run is queued again.
The roster ignores reports with an older token. Each change is one Lua script (``scripts/run_*.lua``).
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
        """Queue a run or, with ``end``, record that the run has stopped.

        Returns False, and changes nothing, if the run is already known. ``step`` and ``restarts``: the step
        of the newest checkpoint, and the restarts until then. ``recovery``: the right from
        `Ledger.begin_recovery`; without it, raises LedgerLost if the ledger is lost.
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
        """Return at most ``limit`` of a tenant's runs, newest first.

        ``before``: the id of the last run on the page before; None: the first page.
        """
        return self._statuses(self._scripts.call("list", f"runs:of:{tenant}", before or "", max(1, limit)))

    def unended(self, tenant: str) -> list[RunStatus]:
        """Return the tenant's runs that are queued, running or paused, newest first."""
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
        """Return the ids of the stopped runs whose end the store may not have yet."""
        return sorted(self._scripts.read("smembers", "runs", "stopped"))

    def close(self, run: str, state: RunState) -> None:
        """Record that the end of a run, with this ``state``, is in the store."""
        self._scripts.call("run_close", run, state)

    def forget(self, run: str) -> bool:
        """Remove a deleted run, whose end must be in the store. Returns False if the run is unknown."""
        return bool(self._scripts.call("run_forget", run))

    def backlog(self) -> int:
        """Return how many runs wait for nodes: queued runs, and running runs with too few nodes."""
        return int(self._scripts.call("run_backlog"))

    # Nodes

    def heartbeat(self, node: str, address: str, devices: int) -> Assignment | None:
        """Record that a node is alive. Returns its assignment, or None if it has none.

        ``address``: where other nodes reach this node. ``devices``: its number of GPUs. Call this several
        times within ``lease_seconds``; otherwise the node counts as dead.
        """
        answer = self._scripts.call("run_heartbeat", node, address, devices, self.ledger.lease_microseconds)
        return _assignment(answer) if answer else None

    def leave(self, node: str) -> None:
        """Remove a node from the roster. The processes of the node stop the run that it works on."""
        self._scripts.call("run_leave", node)

    def nodes(self) -> list[Node]:
        """Return the nodes that are alive."""
        return [Node(n, a, int(d), run or None) for n, a, d, run in self._scripts.call("run_nodes")]

    def claim(self, node: str, port: int) -> tuple[Assignment, list[str]] | None:
        """Reserve idle nodes for the oldest run for which enough nodes are idle. ``node`` becomes its host.

        Returns the assignment and the names of all members, or None if no run can start on this node. The
        members connect to each other at ``port`` of the host. If the node already has an assignment, returns
        this assignment and [].
        """
        answer = self._scripts.call("run_claim", node, port, self.ledger.lease_microseconds)
        return (_assignment(answer[0]), answer[1] if len(answer) > 1 else []) if answer else None

    def renew(
        self, assignment: Assignment, node: str, step: int = 0, progress: dict[str, Any] | None = None
    ) -> RunLeaseState:
        """Extend the deadline of the member ``node``. Returns the state of its lease.

        ``step``: the step that the training has reached. Only the host passes ``progress``.
        """
        report = json.dumps(progress) if progress else ""
        fields = (assignment.run, assignment.token, node, self.ledger.lease_microseconds, step, report)
        return cast("RunLeaseState", self._scripts.call("run_renew", *fields))

    def confirm(self, assignment: Assignment, step: int) -> bool:
        """Return whether the assignment's attempt is still the current attempt at its run.

        If so, records ``step``. After that the caller makes the checkpoint of ``step`` the newest one.
        """
        return bool(self._scripts.call("run_confirm", assignment.run, assignment.token, step))

    def report(
        self, assignment: Assignment, node: str, outcome: Outcome, step: int = 0, message: str = ""
    ) -> bool:
        """Report how the work of the member ``node`` ended. Returns False if the attempt is not current.

        ``message``: the error, if there is one.
        """
        fields = (assignment.run, assignment.token, node, outcome, step, message[:500])
        return bool(self._scripts.call("run_report", *fields))

    def expire(self) -> list[tuple[str, RunState]]:
        """End each attempt in which a member missed its deadline. Returns (run, its new state) for each."""
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
