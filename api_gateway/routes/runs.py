"""Runs: list, show, follow, pause, resume and cancel them."""

from typing import Annotated, Literal

from fastapi import BackgroundTasks, Depends, Query, Response
from pydantic import BaseModel
from sse_starlette import EventSourceResponse

from api_gateway.auth import Trainer
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.event_streams import EventStream
from api_gateway.json_body import Router
from api_gateway.lookup import find_run_record, run_status
from api_gateway.parameters import Cursor
from api_gateway.run_schemas import RunDetails, RunList, RunView, details_of
from prodgen.ledger.entries import Event
from prodgen.ledger.roster import Roster
from prodgen.ledger.run_entries import ENDED, Command
from prodgen.runs.ending import settle
from prodgen.runs.files import delete_end, load_end, load_stop_request, write_stop_request
from prodgen.runs.record import RunRecord
from prodgen.storage import keys

router = Router(prefix="/v1/training-jobs", tags=["training"])


class SampleView(BaseModel):
    """A picture, or another file, that a run has made. ``step`` is that of a training run."""

    name: str
    step: int | None
    url: str


class SampleList(BaseModel):
    """The samples of a run so far, by step."""

    object: Literal["list"] = "list"
    data: list[SampleView]
    next: None = None


@router.get("", summary="List your runs")
def index(
    caller: Trainer,
    deployment: DeploymentDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Cursor = None,
) -> RunList:
    """List your trainings, preparations and evaluations, newest first."""
    found = Roster(deployment.ledger).runs(caller.tenant, after, limit + 1)
    return RunList(
        data=list(map(RunView.of, found[:limit])), next=found[limit - 1].id if found[limit:] else None
    )


@router.get("/{run}", summary="Show a run")
def show(run: str, caller: Trainer, deployment: DeploymentDep) -> RunDetails:
    """Show one run: its progress, its scores and its request."""
    return details_of(deployment, find_run_record(deployment, caller.tenant, run))


@router.get(
    "/{run}/events",
    summary="Follow a run",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events until the run has ended."}},
)
def follow(
    run: str, caller: Trainer, deployment: DeploymentDep, stream: Annotated[EventStream, Depends()]
) -> EventSourceResponse:
    """Send every change of a run's state and progress, from the oldest that is kept, until the run has ended.

    `event` is `state` or `progress`; `data` is `{"type", "state", "step", "steps", "restarts", …}`. Progress
    also has `images_per_second`, `losses`, `metrics` (of the last evaluation) and `seconds_left`.
    """
    record, roster = find_run_record(deployment, caller.tenant, run), Roster(deployment.ledger)

    def read(last: str, first: bool) -> list[Event]:
        if events := roster.events(run, last):
            return events
        now = run_status(deployment, record)
        if not first and now.state not in ENDED:
            return []
        data = {"type": "state", "state": now.state, "step": now.step, "steps": now.steps}
        return roster.events(run, last) or [Event("", "state", {**data, "restarts": now.restarts})]

    return stream.respond(read, ENDED)


@router.get("/{run}/samples", summary="List a run's samples")
def samples(run: str, caller: Trainer, deployment: DeploymentDep) -> SampleList:
    """List what a run has made, with links.

    Training: a grid of images at each step, always from the same latents. Preparation: the cut-outs
    (`preview.png`), the pictures set aside, and the photographs left out. Evaluation: the card, the scores
    and the pictures.
    """
    record = find_run_record(deployment, caller.tenant, run)
    views = []
    for info in deployment.store.list(keys.run(record.tenant, run, "samples/")):
        name = info.key.rpartition("/")[2]
        url = deployment.store.link(info.key, deployment.settings.link_seconds, f"{run[:6]}-{name}")
        stem = name.removesuffix(".png")
        views.append(SampleView(name=name, step=int(stem) if stem.isdigit() else None, url=url))
    return SampleList(data=views)


@router.get("/{run}/logs", summary="Read a run's logs", response_class=Response)
def logs(run: str, caller: Trainer, deployment: DeploymentDep) -> Response:
    """Return the end of the log of each attempt as plain text, the oldest attempt first."""
    record = find_run_record(deployment, caller.tenant, run)
    found = [info.key for info in deployment.store.list(keys.run(record.tenant, run, "logs/"))]
    return Response(b"\n".join(map(deployment.store.get, found)), media_type="text/plain; charset=utf-8")


@router.post("/{run}/cancel", summary="Cancel a run")
def cancel(run: str, caller: Trainer, deployment: DeploymentDep) -> RunDetails:
    """Stop a run for good, after its present step. A run that has ended does not change."""
    return _command(deployment, find_run_record(deployment, caller.tenant, run), "cancel")


@router.post("/{run}/pause", summary="Pause a run")
def pause(run: str, caller: Trainer, deployment: DeploymentDep) -> RunDetails:
    """Stop a run after its present step, with a checkpoint, until it is resumed."""
    return _command(deployment, find_run_record(deployment, caller.tenant, run), "pause")


@router.post("/{run}/resume", summary="Resume a run")
def resume(run: str, caller: Trainer, deployment: DeploymentDep, later: BackgroundTasks) -> RunDetails:
    """Queue a paused run again. It continues with the same numbers as an uninterrupted run."""
    later.add_task(deployment.ring, "training", 1)
    return _command(deployment, find_run_record(deployment, caller.tenant, run), "resume")


def _command(deployment: Deployment, record: RunRecord, command: Command) -> RunDetails:
    """Write the command into the store, which a restart of Redis cannot forget, then into the roster."""
    store, roster = deployment.store, Roster(deployment.ledger)
    end = load_end(store, record)
    may_change = end is None or end.state == "paused"
    if may_change and load_stop_request(store, record) != "cancelled":  # a cancellation is final
        if command == "resume":
            delete_end(store, record)
            end = None
        else:
            write_stop_request(store, record, "paused" if command == "pause" else "cancelled")
    if roster.command(record.id, command) is None:  # Redis has restarted and forgotten the run
        roster.add(record.entry(), end)
        roster.command(record.id, command)
    settle(store, roster, record.id)
    return details_of(deployment, record)
