"""The two files of a queued run in the store: what is to be made (spec.json), why it stands (state.json)."""

from datetime import datetime
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from prodgen.catalog.photographs.flags import LARGEST, SMALLEST, USUAL
from prodgen.evaluation.comparable import FEWEST
from prodgen.ledger.run_entries import RunEntry


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


class _Alone(BaseModel):
    """What one process does, on a data set that was pushed: ``data`` is NAME or NAME@VERSION."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str = Field(max_length=300)

    nodes: ClassVar[int] = 1
    least: ClassVar[int] = 1
    procs_per_node: ClassVar[int] = 1


class PreparationSpec(_Alone):
    """Photographs that are to become a data set of cut-outs, which can be trained on.

    ``name``: of the data set that comes of it; NAME-SIZE if left out. ``size``: the side of the cut-outs in
    pixels. ``drop``: pictures with such a flag are left out first.
    """

    name: str | None = None
    size: int = Field(default=64, ge=SMALLEST, le=LARGEST)
    drop: tuple[str, ...] = USUAL


class EvaluationSpec(_Alone):
    """A model that is to be measured against a data set, which needs a test split.

    ``count``: generated images; as many as the training split has, up to a bound, if left out. ``resize``:
    bring IDX and CIFAR images to the model's size and channels.
    """

    model: str = Field(max_length=300)
    count: int | None = Field(default=None, ge=FEWEST, le=1_000_000)
    resize: bool = False


Spec = TrainingSpec | PreparationSpec | EvaluationSpec


class RunRecord(BaseModel):
    """spec.json: written before the run is acknowledged, never changed after.

    ``name``: of the model, or the data set, that comes of it. ``recipe`` is whole, ``data`` and ``source``
    (the model that it begins with, or evaluates) are resolved to versions, so that a run means the same for
    ever. ``steps`` of a preparation are its pictures; an evaluation is one. ``version`` is that of prodgen.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    tenant: str
    created: datetime
    spec: Spec
    name: str
    recipe: dict[str, Any] = {}
    data: str
    source: str | None = None
    steps: int
    version: str
    request_digest: str

    @property
    def title(self) -> str:
        """What is done, for people."""
        if isinstance(self.spec, PreparationSpec):
            return f"prepare {self.data} as {self.name}"
        if isinstance(self.spec, EvaluationSpec):
            return f"evaluate {self.source} on {self.data}"
        return f"train {self.name} on {self.data}"

    def entry(self) -> RunEntry:
        """The run as the roster knows it."""
        spec, created = self.spec, self.created.timestamp()
        nodes = (spec.nodes, spec.least, spec.procs_per_node)
        return RunEntry(self.id, self.tenant, self.title, *nodes, self.steps, created)
