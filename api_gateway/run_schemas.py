"""The JSON that the API sends for runs."""

from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel

from api_gateway.deployment import Deployment
from api_gateway.lookup import run_status
from prodgen.ledger.run_entries import RunState, RunStatus
from prodgen.runs.files import load_end
from prodgen.runs.record import RunRecord, Spec


class RunLinks(BaseModel):
    """The paths of a run's other resources."""

    self: str
    events: str
    samples: str
    logs: str
    cancel: str
    pause: str
    resume: str


class RunView(BaseModel):
    """A run and its state. ``title`` says what it does, and ``reason`` why a queued run does not start yet.

    ``wish`` is a command that the run was given and has not carried out yet. ``progress`` is the last report
    of its host, and ``nodes`` are the nodes that work on it now. ``metrics`` are the scores of the last
    evaluation, or those of the best step at the end; of a preparation, the counts of its pictures.
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
    links: RunLinks

    @classmethod
    def of(cls, status: RunStatus, **others: Any) -> Self:
        """Return the view of a status. ``others`` are the fields that the status does not have."""
        path, progress = f"/v1/training-jobs/{status.id}", dict(status.progress)
        names = ("events", "samples", "logs", "cancel", "pause", "resume")
        fields = {
            "wish": status.command,
            "metrics": progress.pop("metrics", {}),
            "progress": progress,
            "nodes": status.members,
            "created": datetime.fromtimestamp(status.created, UTC),
            "updated": datetime.fromtimestamp(status.updated, UTC),
            "links": {"self": path} | {name: f"{path}/{name}" for name in names},
        }
        for name in ("id", "title", "state", "step", "steps", "restarts", "error", "reason"):
            fields[name] = getattr(status, name)
        return cls(**fields | others)


class RunDetails(RunView):
    """A run with its request. ``model`` or ``dataset`` is the version that it has made."""

    name: str
    data: str
    source: str | None
    recipe: dict[str, Any]
    model: str | None
    dataset: str | None
    request: Spec


class RunList(BaseModel):
    """A page of runs, newest first."""

    object: Literal["list"] = "list"
    data: list[RunView]
    next: str | None


def details_of(deployment: Deployment, record: RunRecord) -> RunDetails:
    """Return the present view of a run, with its request."""
    status, end = run_status(deployment, record), load_end(deployment.store, record)
    fields = {name: getattr(record, name) for name in ("name", "data", "source", "recipe")}
    fields |= {"model": end and end.model, "dataset": end and end.dataset, "request": record.spec}
    if end and end.state == status.state and end.metrics:
        fields["metrics"] = end.metrics
    return RunDetails.of(status, **fields)
