"""The two files of a queued run in the store: what is trained (spec.json), why it stands (state.json)."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

RunState = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]
Stopped = Literal["paused", "succeeded", "failed", "cancelled"]
ENDED: tuple[RunState, ...] = ("succeeded", "failed", "cancelled")
"""States that never change."""


class TrainingSpec(BaseModel):
    """What a person asks for.

    ``recipe``: a bundled recipe's name, or a whole recipe. ``settings`` are laid over it. ``data``: a data
    set that was pushed, NAME or NAME@VERSION. ``from``: a model version to begin with. ``name``: of the model
    that comes of it; the recipe's own if left out.

    ``nodes`` are reserved together; when there are fewer, the run goes on with ``min_nodes`` or more.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    recipe: str | dict[str, Any]
    settings: dict[str, Any] = {}
    data: str = Field(max_length=300)
    source: str | None = Field(default=None, alias="from", max_length=300)
    name: str | None = None
    nodes: int = Field(default=1, ge=1, le=64)
    min_nodes: int | None = Field(default=None, ge=1, le=64)
    procs_per_node: int = Field(default=1, ge=1, le=16)

    @model_validator(mode="after")
    def _least_of_them(self) -> Self:
        if self.least > self.nodes:
            raise ValueError(f"min_nodes is {self.least}, more than nodes, {self.nodes}")
        return self

    @property
    def least(self) -> int:
        """Nodes without which the run waits."""
        return self.nodes if self.min_nodes is None else self.min_nodes


class RunRecord(BaseModel):
    """spec.json: written before the run is acknowledged, never changed after.

    ``recipe`` is whole, ``data`` and ``source`` are resolved to versions, so that a run means the same for
    ever. ``version`` is that of prodgen.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    tenant: str
    created: datetime
    spec: TrainingSpec
    name: str
    recipe: dict[str, Any]
    data: str
    source: str | None
    steps: int
    version: str
    request_digest: str


class RunEnd(BaseModel):
    """state.json: why the run does not go on. That of a paused run is deleted when it is resumed.

    ``model``: the version that came of it. ``metrics``: what its best step scored.
    """

    model_config = ConfigDict(frozen=True)

    state: Stopped
    step: int
    restarts: int
    model: str | None = None
    metrics: dict[str, Any] = {}
    error: str | None = None
    finished: datetime
