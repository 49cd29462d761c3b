"""The requests for a run, and the record of a run in the store (spec.json)."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from prodgen.catalog.held_out import MIN_TEST_IMAGES
from prodgen.catalog.photographs.flags import DEFAULT_DROP, MAX_SIZE, MIN_SIZE
from prodgen.ledger.run_entries import RunEntry
from prodgen.spec.order import Keep, keep_time
from prodgen.trash import Owned


class TrainingSpec(BaseModel):
    """A request to train a model.

    ``recipe``: the name of a bundled recipe, or a whole recipe. ``settings`` replace values of the recipe.
    ``data``: a data set of the tenant, NAME or NAME@VERSION. ``from``: a model version to start from.
    ``name``: the name of the new model, by default the recipe's.

    ``nodes``: how many nodes the run is to use, all reserved together. If fewer are idle, the run starts with
    at least ``min_nodes``.
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
    def _check_min_nodes(self) -> Self:
        if self.least > self.nodes:
            raise ValueError(f"min_nodes is {self.least}, more than nodes, {self.nodes}")
        return self

    @property
    def least(self) -> int:
        """The smallest number of nodes with which the run starts."""
        return self.nodes if self.min_nodes is None else self.min_nodes


class _OneProcess(BaseModel):
    """A request for a run of one process. ``data``: a data set of the tenant, NAME or NAME@VERSION."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str = Field(max_length=300)

    nodes: ClassVar[int] = 1
    least: ClassVar[int] = 1
    procs_per_node: ClassVar[int] = 1


class PreparationSpec(_OneProcess):
    """A request to make a data set of cut-outs, which can be trained on, from photographs.

    ``name``: the name of the new data set, by default NAME-SIZE. ``size``: the side of a cut-out in pixels.
    ``drop``: leave out pictures with one of these flags. ``cutter``: finds the products, by default the best
    that the node has. ``merge``: categories to merge, each text such as polo,blouse=shirt.
    """

    name: str | None = None
    size: int = Field(default=64, ge=MIN_SIZE, le=MAX_SIZE)
    drop: tuple[str, ...] = DEFAULT_DROP
    cutter: Literal["grabcut", "u2netp"] | None = None
    merge: tuple[Annotated[str, Field(max_length=10_000)], ...] = Field(default=(), max_length=100)


class EvaluationSpec(_OneProcess):
    """A request to measure a model against a data set, which needs a test split.

    ``count``: how many images to generate, by default as many as the training split has, up to a bound.
    ``resize``: bring IDX and CIFAR images to the model's size and channels.
    """

    model: str = Field(max_length=300)
    count: int | None = Field(default=None, ge=MIN_TEST_IMAGES, le=1_000_000)
    resize: bool = False


Spec = TrainingSpec | PreparationSpec | EvaluationSpec


class RunRecord(Owned, frozen=True):
    """The content of spec.json. It is written before a run is acknowledged, and never changes.

    ``name``: the name of the model or data set that the run makes, or of the model that it evaluates.
    ``recipe``: the complete recipe of a training; else {}. ``data``: the version of the data set. ``source``:
    the version of the model to start from, or to evaluate. ``spec``: the request.
    ``steps``: for a preparation the number of pictures, for an evaluation 1. ``version``: the version of
    prodgen. ``keep``: how long the run is kept after its end; None: for ever. ``request_id`` names the HTTP
    request that queued the run, and ``traceparent`` its trace context.
    """

    created: datetime
    spec: Spec
    name: str
    recipe: dict[str, Any] = {}
    data: str
    source: str | None = None
    steps: int
    version: str
    keep: Keep | None = None
    request_digest: str
    request_id: str | None = None
    traceparent: str | None = None

    @property
    def title(self) -> str:
        """One line of text that tells people what the run does."""
        if isinstance(self.spec, PreparationSpec):
            return f"prepare {self.data} as {self.name}"
        if isinstance(self.spec, EvaluationSpec):
            return f"evaluate {self.source} on {self.data}"
        return f"train {self.name} on {self.data}"

    def expires(self, finished: datetime) -> datetime | None:
        """Return when the run must be deleted if it ended at ``finished``; None if it is kept for ever."""
        return finished + keep_time(self.keep) if self.keep else None

    def entry(self) -> RunEntry:
        """Return the entry of the run for the roster."""
        nodes = (self.spec.nodes, self.spec.least, self.spec.procs_per_node)
        return RunEntry(self.id, self.tenant, self.title, *nodes, self.steps, self.created.timestamp())
