"""The JSON that the API sends for runs."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel

from api_gateway.deployment import Deployment
from api_gateway.lookup import run_status
from prodgen.ledger.run_entries import RunEnd, RunState, RunStatus
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
    """A run as it stands. ``wish`` is what it was asked to do and has not done yet; ``reason`` says what a
    queued run waits for.

    ``title`` says what it does. ``metrics`` are those of the last evaluation, at the end those of the best
    step, or what became of the pictures; ``progress`` is what it told last; ``nodes`` those that work on it
    now.
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
    def of(cls, status: RunStatus) -> "RunView":
        """Return the view of a status."""
        return cls(**_status_fields(status))


class RunDetails(RunView):
    """A run with its request. ``model`` or ``dataset`` is the version that it has made."""

    name: str
    data: str
    source: str | None
    recipe: dict[str, Any]
    model: str | None
    dataset: str | None
    request: Spec

    @classmethod
    def of_record(cls, status: RunStatus, record: RunRecord, end: RunEnd | None) -> "RunDetails":
        """Return the view of a status, with the record and the end that the store holds."""
        fields = _status_fields(status)
        if end and end.state == status.state:
            fields["metrics"] = end.metrics or fields["metrics"]
        wanted = {name: getattr(record, name) for name in ("name", "data", "source", "recipe")}
        model, dataset = (end.model, end.dataset) if end else (None, None)
        return cls(**fields, **wanted, model=model, dataset=dataset, request=record.spec)


class RunList(BaseModel):
    """A page of runs, newest first."""

    object: Literal["list"] = "list"
    data: list[RunView]
    next: str | None


def details_of(deployment: Deployment, record: RunRecord) -> RunDetails:
    """Return the present view of a run, with its request."""
    return RunDetails.of_record(run_status(deployment, record), record, load_end(deployment.store, record))


def _status_fields(status: RunStatus) -> dict[str, Any]:
    path = f"/v1/training-jobs/{status.id}"
    progress = dict(status.progress)
    return {
        "id": status.id,
        "title": status.title,
        "state": status.state,
        "wish": status.command,
        "step": status.step,
        "steps": status.steps,
        "restarts": status.restarts,
        "metrics": progress.pop("metrics", {}),
        "progress": progress,
        "nodes": status.members,
        "error": status.error,
        "reason": status.reason,
        "created": datetime.fromtimestamp(status.created, UTC),
        "updated": datetime.fromtimestamp(status.updated, UTC),
        "links": {"self": path}
        | {name: f"{path}/{name}" for name in ("events", "samples", "logs", "cancel", "pause", "resume")},
    }
