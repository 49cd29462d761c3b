"""What the API shows of training runs, and how it finds them."""

import re
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel

from api_gateway.services import Services
from prodgen.errors import NotFound
from prodgen.ledger.roster import Roster
from prodgen.ledger.run_entries import RunEnd, RunState, Standing
from prodgen.runs.files import find_record, load_end, newest_checkpoint, reached
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
    """A run as it stands. ``wish`` is what it was asked to do and has not done yet.

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
    created: datetime
    updated: datetime
    links: RunLinks

    @classmethod
    def of(cls, standing: Standing) -> "RunView":
        """The view of what the roster says."""
        return cls(**_standing(standing))


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
    def of_record(cls, standing: Standing, record: RunRecord, end: RunEnd | None) -> "RunDetails":
        """The view of what the roster says and the store holds."""
        fields = _standing(standing)
        if end and end.state == standing.state:
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


def standing_of(here: Services, record: RunRecord) -> Standing:
    """Where the run stands, by the store if the roster has forgotten it."""
    if standing := Roster(here.ledger).standing(record.id):
        return standing
    end = load_end(here.store, record)
    step, restarts = reached(end or newest_checkpoint(here.store, record.tenant, record.id))
    created = record.created.timestamp()
    return Standing(
        id=record.id,
        tenant=record.tenant,
        title=record.title,
        state=end.state if end else "queued",
        step=step,
        steps=record.steps,
        restarts=restarts,
        wish="",
        error=end.error if end else None,
        created=created,
        updated=end.finished.timestamp() if end else created,
    )


def details_of(here: Services, record: RunRecord) -> RunDetails:
    """The view of a run, with what was asked for."""
    return RunDetails.of_record(standing_of(here, record), record, load_end(here.store, record))


def _standing(standing: Standing) -> dict[str, Any]:
    path = f"/v1/training-jobs/{standing.id}"
    told = dict(standing.progress)
    return {
        "id": standing.id,
        "title": standing.title,
        "state": standing.state,
        "wish": standing.wish,
        "step": standing.step,
        "steps": standing.steps,
        "restarts": standing.restarts,
        "metrics": told.pop("metrics", {}),
        "progress": told,
        "nodes": standing.members,
        "error": standing.error,
        "created": datetime.fromtimestamp(standing.created, UTC),
        "updated": datetime.fromtimestamp(standing.updated, UTC),
        "links": {"self": path}
        | {name: f"{path}/{name}" for name in ("events", "samples", "logs", "cancel", "pause", "resume")},
    }
