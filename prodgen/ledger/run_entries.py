"""What goes into the roster of training runs and what it answers."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

RunState = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]
Stopped = Literal["paused", "succeeded", "failed", "cancelled"]
ENDED: tuple[RunState, ...] = ("succeeded", "failed", "cancelled")
"""States that never change."""

RunHeld = Literal["held", "lost", "pause", "cancel", "regroup"]
Wish = Literal["pause", "cancel", "resume"]
WISHES: dict[Stopped, Wish] = {"paused": "pause", "cancelled": "cancel"}
"""By the state that they end in."""
Outcome = Literal["succeeded", "failed", "paused", "cancelled", "broke", "back", "left"]
"""Of a part: the run's new state, by its host; it broke off; it is handed back; the host will tell."""


@dataclass(frozen=True)
class RunEntry:
    """A run of ``steps`` that wants ``nodes`` nodes, and at least ``least``; ``created`` in Unix seconds."""

    id: str
    tenant: str
    title: str
    nodes: int
    least: int
    procs_per_node: int
    steps: int
    created: float


@dataclass(frozen=True)
class Part:
    """A node's part in an attempt at a run by ``nodes``; ``address`` and ``port`` are the host's."""

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
    """A living training node; ``devices`` counts its GPUs, ``run`` is the one that it works on."""

    name: str
    address: str
    devices: int
    run: str | None


@dataclass(frozen=True)
class Standing:
    """Where a run stands. ``progress``: what its host told last (losses, samples a second, metrics)."""

    id: str
    tenant: str
    title: str
    state: RunState
    step: int
    steps: int
    restarts: int
    wish: str
    error: str | None
    created: float
    updated: float
    members: tuple[str, ...] = ()
    progress: dict[str, Any] = field(default_factory=dict)


class RunEnd(BaseModel):
    """state.json: why the run does not go on. That of a paused run is deleted when it is resumed.

    ``model``, ``dataset``: the version that came of it. ``metrics``: what its best step scored, what
    became of the pictures, or all that an evaluation found.
    """

    model_config = ConfigDict(frozen=True)

    state: Stopped
    step: int
    restarts: int
    model: str | None = None
    dataset: str | None = None
    metrics: dict[str, Any] = {}
    error: str | None = None
    finished: datetime
