"""The data types of the roster: runs, nodes, assignments, and the states that they pass through."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

RunState = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]
StoppedState = Literal["paused", "succeeded", "failed", "cancelled"]
ENDED: tuple[RunState, ...] = ("succeeded", "failed", "cancelled")
"""The states that never change."""

RunLeaseState = Literal["held", "lost", "pause", "cancel", "regroup"]
"""What a node hears when it renews its lease. All but ``held`` ask it to stop; ``lost`` ends it at once."""
Command = Literal["pause", "cancel", "resume"]
STOP_COMMANDS: dict[StoppedState, Command] = {"paused": "pause", "cancelled": "cancel"}
"""The command that leads to each state."""
Outcome = Literal["succeeded", "failed", "paused", "cancelled", "crashed", "released", "detached"]
"""How a node's work on an assignment ended. The host reports the run's new state, or one of these:

``crashed``: the attempt broke off, and counts as a restart. ``released``: the node gives the run back without
blame. ``detached``: a member other than the host has stopped; the host reports the rest.
"""


@dataclass(frozen=True)
class RunEntry:
    """A run of ``steps`` for ``nodes`` nodes, and at least ``least``. ``created`` is in Unix seconds.

    Each node starts ``procs_per_node`` processes: one per GPU, or all on its CPU.
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
    """A node's place in an attempt at a run by ``nodes`` nodes. ``address`` and ``port`` are the host's."""

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
    """A training node that is alive. ``devices`` counts its GPUs. ``run`` is the one it works on."""

    name: str
    address: str
    devices: int
    run: str | None


@dataclass(frozen=True)
class RunStatus:
    """Where a run stands.

    ``command``: what the run was asked to do and has not done yet. ``progress``: what its host reported last
    (losses, samples a second, metrics). ``reason``: why a queued run does not start yet.
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
    """state.json: how a run ended, or that it is paused. Resuming a paused run deletes the file.

    ``model`` or ``dataset`` is the version that the run made. ``metrics``: the scores of a training run's
    best step, the counts of a preparation's pictures, or the figures of an evaluation.
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
