"""The JSON that the API sends for jobs, images and runs."""

from datetime import datetime
from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, Field

from prodgen.jobs.deletion import Deletion
from prodgen.jobs.diff import Choice
from prodgen.jobs.record import Replaces
from prodgen.ledger.entries import Progress, State
from prodgen.ledger.run_entries import RunState, RunStatus
from prodgen.runs.deletion import RunDeletion
from prodgen.runs.record import Spec
from prodgen.spec.describe import Description
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.order import JobSpec
from prodgen.spec.reading import Reading

View = TypeVar("View", bound=BaseModel)


class Page(BaseModel, Generic[View]):
    """A page of a list. ``next`` is the value of ``after`` for the next page; null on the last page."""

    object: Literal["list"] = "list"
    data: list[View]
    next: str | None = None


class SheetView(BaseModel):
    """A sprite sheet: `name` with `.png` is the sheet, with `.json` its atlas. Sides are in pixels."""

    name: str
    width: int
    height: int


class ShardView(BaseModel):
    """A tar with ``images`` images of a job."""

    name: str
    images: int
    url: str


class JobView(BaseModel):
    """A job and its state. ``total``, ``done`` and ``failed`` count images.

    ``retries`` counts how often the failed images of the job were tried again after its end.
    """

    id: str
    object: Literal["job"] = "job"
    state: State
    priority: Literal["interactive", "bulk"]
    total: int
    done: int
    failed: int
    retries: int
    error: str | None
    created: datetime
    updated: datetime
    links: dict[str, str] = Field(
        description="Paths: `self`, `events`, `images`, `cancel`, `pause`, `resume`, `failures`, `retry`."
    )

    @classmethod
    def of(cls, progress: Progress, **others: Any) -> Self:
        """Return the view of a job's progress. ``others``: the values of the fields that subclasses add."""
        names = ("events", "images", "cancel", "pause", "resume", "failures", "retry")
        links = _links(f"/v1/jobs/{progress.id}", names)
        changed = {"priority": progress.queue, "links": links}
        return cls(**vars(progress) | changed | others)


class JobDetails(JobView):
    """A job with its order. ``model`` is the version that makes all of its images.

    ``keep`` is how long the job is kept after its end; an ended job is deleted at ``expires``. Null: never.
    ``seconds_left`` is the time until all images are made, at the pace of about the last minute; before any
    image is made, the seconds of a quote. While it is null, ``reason`` says why, unless the job has ended.
    """

    model: str
    packaging: Literal["files", "tar"]
    seconds_left: float | None
    reason: str | None
    keep: str | None
    expires: datetime | None
    root: str | None = Field(description="Merkle root of an ended job's images; null if it was cancelled.")
    deleted: int = Field(default=0, description="Images that were deleted after the job's end.")
    request: JobSpec
    reading: Reading | None = Field(description="How the order's prompt was read; null without a prompt.")
    replaces: Replaces | None = Field(description="The rejected images that this job makes again, by index.")
    again_of: str | None = Field(description="The job that this one repeats with another version.")


class DeletionView(BaseModel):
    """A deleted job of ``total`` images. ``restorable_until`` is null if the job is deleted for good."""

    id: str
    object: Literal["deletion"] = "deletion"
    model: str
    title: str | None
    total: int
    deleted: datetime
    restorable_until: datetime | None

    @classmethod
    def of(cls, deletion: Deletion) -> Self:
        """Return the view of a deletion."""
        record = deletion.record
        return cls(
            id=record.id,
            model=record.model,
            title=record.spec.title,
            total=record.total,
            deleted=deletion.deleted,
            restorable_until=deletion.restorable_until,
        )


class RunDeletionView(BaseModel):
    """A deleted run. ``restorable_until`` is null if the run is deleted for good."""

    id: str
    object: Literal["run-deletion"] = "run-deletion"
    title: str
    deleted: datetime
    restorable_until: datetime | None

    @classmethod
    def of(cls, deletion: RunDeletion) -> Self:
        """Return the view of a deletion."""
        return cls(
            id=deletion.record.id,
            title=deletion.record.title,
            deleted=deletion.deleted,
            restorable_until=deletion.restorable_until,
        )


class RemovalView(BaseModel):
    """The removed versions or files. ``bytes``: the size of the deleted content, without what others use."""

    object: Literal["removal"] = "removal"
    removed: list[str]
    bytes: int


class QuoteView(BaseModel):
    """The check of an order that is not placed. ``total`` counts its images.

    ``seconds``: the time until all of them are made, if the workers that are alive first make every image
    that waits in the queue; null if no worker is alive, or if none has made images of the model yet.
    ``in_time``: whether that is before the order's `finish_by`; null without either.
    """

    object: Literal["quote"] = "quote"
    total: int
    seconds: float | None
    in_time: bool | None


class ImageView(ManifestLine):
    """An image: a link to it, and all that is needed to make it again. A deleted image has no link."""

    url: str | None
    deleted: Literal[True] | None = Field(default=None, exclude_if=lambda value: value is None)
    matte: str | None = Field(default=None, exclude_if=lambda value: value is None)
    findings: tuple[str, ...] | None = Field(default=None, exclude_if=lambda value: value is None)
    description: Description | None = Field(default=None, exclude_if=lambda value: value is None)
    """Texts in the ``language`` that the request asks for."""
    object: str | None = Field(default=None, exclude=True)
    offset: int | None = Field(default=None, exclude=True)
    length: int | None = Field(default=None, exclude=True)


class PairView(BaseModel):
    """An image of a job, and the same image of the same job by another version of the model.

    ``change`` is the mean CIEDE2000 difference of the quarter of the pixels that differ most, both images
    shrunk to 64 x 64; ``colour`` is the difference of the mean colours. 0 is no difference, about 1 the least
    that people see. ``choice``: null if undecided.
    """

    index: int
    sku: str | None
    change: float
    colour: float
    choice: Choice | None
    old: ImageView
    new: ImageView


class ChoicesView(BaseModel):
    """How many pairs of two jobs have which choice."""

    object: Literal["choices"] = "choices"
    new: int
    old: int
    undecided: int


class RunView(BaseModel):
    """A run and its state. ``title`` says what it does; ``reason`` says why a queued run does not start yet.

    ``wish`` is the last command that the run has not carried out yet. ``progress`` is the last report of the
    run's host, with ``seconds_left`` while the run is running; ``nodes`` are the nodes that work on the run
    now. ``metrics`` are the scores of the last evaluation, or at the end those of the best step; for a
    preparation, the counts of its pictures.
    """

    id: str
    object: Literal["training-job"] = "training-job"
    title: str
    state: RunState
    wish: Literal["", "pause", "cancel", "regroup"]
    step: int
    steps: int
    restarts: int
    metrics: dict[str, Any]
    progress: dict[str, Any]
    nodes: tuple[str, ...]
    error: str | None
    reason: str | None = None
    created: datetime
    updated: datetime
    links: dict[str, str] = Field(
        description="Paths: `self`, `events`, `samples`, `logs`, `cancel`, `pause`, `resume`."
    )

    @classmethod
    def of(cls, status: RunStatus, **others: Any) -> Self:
        """Return the view of a run's status. ``others``: the values of the fields that subclasses add."""
        progress, names = dict(status.progress), ("events", "samples", "logs", "cancel", "pause", "resume")
        if status.state != "running":
            progress.pop("seconds_left", None)
        changed = {
            "wish": status.command,
            "metrics": progress.pop("metrics", {}),
            "progress": progress,
            "nodes": status.members,
            "links": _links(f"/v1/training-jobs/{status.id}", names),
        }
        return cls(**vars(status) | changed | others)


class RunDetails(RunView):
    """A run with its request. ``model`` or ``dataset`` is the version that the run has made."""

    name: str
    data: str
    source: str | None
    recipe: dict[str, Any]
    model: str | None
    dataset: str | None
    request: Spec


class MetricsView(BaseModel):
    """The log of a training at a step: the mean losses of its batch, and the scores if it was evaluated.

    ``time`` is Unix time. A number that is not finite is null.
    """

    step: int
    images: int
    time: float
    images_per_second: float | None = None
    losses: dict[str, float | None] = {}
    metrics: dict[str, float | None] = {}


class SampleView(BaseModel):
    """A picture, or another file, that a run has made; ``step`` is the training step, None for other runs."""

    name: str
    step: int | None
    url: str


def _links(path: str, names: tuple[str, ...]) -> dict[str, str]:
    """Return the path of the resource itself, and those of its other resources by name."""
    return {"self": path} | {name: f"{path}/{name}" for name in names}
