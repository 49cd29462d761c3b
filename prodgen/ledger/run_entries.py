"""The data types of the roster: runs, nodes, assignments, and their states."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

RunState = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]
StoppedState = Literal["paused", "succeeded", "failed", "cancelled"]
ENDED: tuple[RunState, ...] = ("succeeded", "failed", "cancelled")
"""The states of a run that has ended. A run in such a state never changes again."""

RunLeaseState = Literal["held", "lost", "pause", "cancel", "regroup"]
"""The answer to a node that renews its lease.

``held``: continue. ``lost``: end the processes at once. ``pause``, ``cancel`` and ``regroup`` (start again
with more nodes): write a checkpoint and stop.
"""
Command = Literal["pause", "cancel", "resume"]
STOP_COMMANDS: dict[StoppedState, Command] = {"paused": "pause", "cancelled": "cancel"}
"""For each of two states, the command that brings a run to this state."""
Outcome = Literal["succeeded", "failed", "paused", "cancelled", "crashed", "released", "detached"]
"""How a node's work on an assignment ended. The host reports the new state of the run, or:

``crashed``: the attempt failed unexpectedly, which counts as a restart. ``released``: the node gives the run
back, which does not count as a restart. A member that is not the host reports ``detached`` when it stops.
"""


@dataclass(frozen=True)
class RunEntry:
    """A run as the roster keeps it. The run has ``steps`` steps, and wants ``nodes`` nodes.

    It can start with ``least`` nodes. Each node starts ``procs_per_node`` processes: one for each GPU, or all
    on its CPU. ``created`` is in Unix seconds.
    """

    id: str
    tenant: str
    title: str
    nodes: int
    least: int
    procs_per_node: int
    steps: int
    created: float


@dataclass(frozen=True)
class Assignment:
    """A node's part in an attempt at a run. All ``nodes`` members receive the same assignment.

    ``token``: the attempt's token. ``host``: the name of the host. The members connect to each other at
    ``address`` and ``port`` of the host.
    """

    run: str
    title: str
    tenant: str
    token: str
    host: str
    address: str
    port: int
    nodes: int


@dataclass(frozen=True)
class Node:
    """A training node that is alive. ``devices``: its number of GPUs. ``run``: the run that it works on."""

    name: str
    address: str
    devices: int
    run: str | None


@dataclass(frozen=True)
class RunStatus:
    """The present state of a run.

    ``command``: the command that the run has not carried out yet, or "". ``members``: the names of its nodes.
    ``progress``: the last report of the run's host (losses, samples a second, metrics). ``reason``: why a
    queued run does not start yet. ``created`` and ``updated`` are in Unix seconds.
    """

    id: str
    tenant: str
    title: str
    state: RunState
    step: int
    steps: int
    restarts: int
    command: str
    error: str | None
    created: float
    updated: float
    members: tuple[str, ...] = ()
    progress: dict[str, Any] = field(default_factory=dict)
    reason: str | None = None


class RunEnd(BaseModel):
    """The content of state.json: how a run ended, or that it is paused. To resume a run deletes the file.

    ``model`` or ``dataset``: the version that the run made, or None. ``metrics``: for a training, the scores
    of its best step; for a preparation, the counts of its pictures; for an evaluation, its figures.
    """

    model_config = ConfigDict(frozen=True)

    state: StoppedState
    step: int
    restarts: int
    model: str | None = None
    dataset: str | None = None
    metrics: dict[str, Any] = {}
    error: str | None = None
    finished: datetime
