"""The data types of the roster: runs, nodes, assignments, and the states that they pass through."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

RunState = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]
StoppedState = Literal["paused", "succeeded", "failed", "cancelled"]
ENDED: tuple[RunState, ...] = ("succeeded", "failed", "cancelled")
"""The states in which a run has ended. They never change again."""

RunLeaseState = Literal["held", "lost", "pause", "cancel", "regroup"]
"""The answer to a node that renews its lease.

``held``: continue. ``lost``: end the processes at once. All others: write a checkpoint and stop.
"""
Command = Literal["pause", "cancel", "resume"]
STOP_COMMANDS: dict[StoppedState, Command] = {"paused": "pause", "cancelled": "cancel"}
"""The command that brings a run to each of these states."""
Outcome = Literal["succeeded", "failed", "paused", "cancelled", "crashed", "released", "detached"]
"""How a node's work on an assignment ended. The host reports the run's new state, or one of these:

``crashed``: the attempt failed unexpectedly, and counts as a restart. ``released``: the node gives the run
back, which is no restart. ``detached``: a member that is not the host has stopped.
"""


@dataclass(frozen=True)
class RunEntry:
    """A run as the roster keeps it: ``steps`` steps on ``nodes`` nodes, and on at least ``least``.

    Each node starts ``procs_per_node`` processes: one per GPU, or all on its CPU. ``created``: Unix time.
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
    """An attempt at a run, as each of its ``nodes`` members receives it.

    ``token``: the attempt's token. ``host``: the node at ``address`` and ``port``, where the members meet.
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

    ``command``: what the run was asked to do and has not done yet. ``progress``: what the run's host reported
    last (losses, samples a second, metrics). ``reason``: why a queued run does not start yet.
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
    """The content of state.json: how a run ended, or that it is paused. Resuming a run deletes the file.

    ``model`` or ``dataset``: the version that the run made. ``metrics``: the scores of a training run's best
    step, the counts of a preparation's pictures, or the figures of an evaluation.
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
