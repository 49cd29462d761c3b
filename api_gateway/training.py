"""What the API shows of training runs, and how it finds them."""

import re
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel

from api_gateway.services import Services
from prodgen.errors import NotFound
from prodgen.ledger.roster import Roster
from prodgen.ledger.run_entries import RunEnd, RunState, RunStatus
from prodgen.runs.files import find_record, load_end, newest_checkpoint, step_and_restarts
from prodgen.runs.record import RunRecord, Spec

_ID = re.compile(r"[0-9a-f]{24}")


class RunLinks(BaseModel):
    """Where the rest of a run is."""

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
        """The view of what the roster says."""
        return cls(**_status_fields(status))


class RunDetails(RunView):
    """A run with what was asked for; ``model`` or ``dataset`` is the version that came of it."""

    name: str
    data: str
    source: str | None
    recipe: dict[str, Any]
    model: str | None
    dataset: str | None
    request: Spec

    @classmethod
    def of_record(cls, status: RunStatus, record: RunRecord, end: RunEnd | None) -> "RunDetails":
        """The view of what the roster says and the store holds."""
        fields = _status_fields(status)
        if end and end.state == status.state:
            fields["metrics"] = end.metrics or fields["metrics"]
        asked = {name: getattr(record, name) for name in ("name", "data", "source", "recipe")}
        model, dataset = (end.model, end.dataset) if end else (None, None)
        return cls(**fields, **asked, model=model, dataset=dataset, request=record.spec)


class RunList(BaseModel):
    """A page of runs, newest first."""

    object: Literal["list"] = "list"
    data: list[RunView]
    next: str | None


def find_run(here: Services, tenant: str, run: str) -> RunRecord:
    """What is trained; raises NotFound for an unknown run and for another tenant's alike."""
    record = find_record(here.store, tenant, run) if _ID.fullmatch(run) else None
    if record is None:
        raise NotFound(f"there is no training run {run[:64]!r}", param="run")
    return record


def status_of(here: Services, record: RunRecord) -> RunStatus:
    """Where the run stands, by the store if the roster has forgotten it."""
    if status := Roster(here.ledger).status(record.id):
        return status
    end = load_end(here.store, record)
    step, restarts = step_and_restarts(end or newest_checkpoint(here.store, record.tenant, record.id))
    created = record.created.timestamp()
    return RunStatus(
        id=record.id,
        tenant=record.tenant,
        title=record.title,
        state=end.state if end else "queued",
        step=step,
        steps=record.steps,
        restarts=restarts,
        command="",
        error=end.error if end else None,
        created=created,
        updated=end.finished.timestamp() if end else created,
    )


def details_of(here: Services, record: RunRecord) -> RunDetails:
    """The view of a run, with what was asked for."""
    return RunDetails.of_record(status_of(here, record), record, load_end(here.store, record))


def _status_fields(status: RunStatus) -> dict[str, Any]:
    path = f"/v1/training-jobs/{status.id}"
    told = dict(status.progress)
    return {
        "id": status.id,
        "title": status.title,
        "state": status.state,
        "wish": status.command,
        "step": status.step,
        "steps": status.steps,
        "restarts": status.restarts,
        "metrics": told.pop("metrics", {}),
        "progress": told,
        "nodes": status.members,
        "error": status.error,
        "reason": status.reason,
        "created": datetime.fromtimestamp(status.created, UTC),
        "updated": datetime.fromtimestamp(status.updated, UTC),
        "links": {"self": path}
        | {name: f"{path}/{name}" for name in ("events", "samples", "logs", "cancel", "pause", "resume")},
    }
