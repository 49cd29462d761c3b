"""Training runs: queued, listed, followed, paused, resumed, cancelled."""

from typing import Annotated, Literal

from fastapi import APIRouter, BackgroundTasks, Depends, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from api_gateway.auth import Trainer
from api_gateway.queueing import Queueing
from api_gateway.services import Services, services
from api_gateway.streaming import Start, respond
from api_gateway.training import RunDetails, RunList, RunView, details_of, find_run, status_of
from prodgen.ledger.entries import Event
from prodgen.ledger.roster import Roster
from prodgen.ledger.run_entries import ENDED, Command
from prodgen.runs.ending import settle
from prodgen.runs.files import delete_end, load_end, load_stop_request, write_stop_request
from prodgen.runs.record import RunRecord, TrainingSpec
from prodgen.storage import keys

router = APIRouter(prefix="/v1/training-jobs", tags=["training"])

Here = Annotated[Services, Depends(services)]


class SampleView(BaseModel):
    """A picture of what a run makes, or another file, and a link to it; ``step``: that of a training run."""

    name: str
    step: int | None
    url: str


class SampleList(BaseModel):
    """What there is so far, by step."""

    object: Literal["list"] = "list"
    data: list[SampleView]
    next: None = None


@router.post("", status_code=202, summary="Queue a training run")
def send(spec: TrainingSpec, queue: Annotated[Queueing, Depends()]) -> RunDetails:
    """Queue a run. It is refused now if it could not end well for a reason that can be known now."""
    return queue(spec)


@router.get("", summary="List your training runs")
def index(
    caller: Trainer,
    here: Here,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(description="The `next` of the page before.")] = None,
) -> RunList:
    """The newest first."""
    found = Roster(here.ledger).runs(caller.tenant, after, limit + 1)
    return RunList(
        data=list(map(RunView.of, found[:limit])), next=found[limit - 1].id if found[limit:] else None
    )


@router.get("/{run}", summary="Show a training run")
def show(run: str, caller: Trainer, here: Here) -> RunDetails:
    """One run: how far it is, what it scored, and what was asked for."""
    return details_of(here, find_run(here, caller.tenant, run))


@router.get(
    "/{run}/events",
    summary="Follow a training run",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events until the run has ended."}},
)
def follow(run: str, caller: Trainer, here: Here, start: Start) -> StreamingResponse:
    """`event: state` or `progress`; `data: {"type", "state", "step", "steps", "restarts", …}`.

    Progress also tells `images_per_second`, `losses`, `metrics` (the last evaluation) and `seconds_left`.
    """
    record, roster = find_run(here, caller.tenant, run), Roster(here.ledger)

    def look(last: str, first: bool) -> list[Event]:
        if events := roster.events(run, last):
            return events
        now = status_of(here, record)
        if not first and now.state not in ENDED:
            return []
        data = {"type": "state", "state": now.state, "step": now.step, "steps": now.steps}
        return roster.events(run, last) or [Event("", "state", {**data, "restarts": now.restarts})]

    return respond(here, look, start, ENDED)


@router.get("/{run}/samples", summary="Pictures of a training run")
def samples(run: str, caller: Trainer, here: Here) -> SampleList:
    """Grids from the same latents at each step, so that they show the run learning.

    Of a preparation: its cut-outs (`preview.png`), those set aside, and the photographs that were left out.
    Of an evaluation: the card, the figures, and its pictures.
    """
    record = find_run(here, caller.tenant, run)
    views = []
    for info in here.store.list(keys.run(record.tenant, run, "samples/")):
        name = info.key.rpartition("/")[2]
        url = here.store.link(info.key, here.settings.link_seconds, f"{run[:6]}-{name}")
        stem = name.removesuffix(".png")
        views.append(SampleView(name=name, step=int(stem) if stem.isdigit() else None, url=url))
    return SampleList(data=views)


@router.get("/{run}/logs", summary="What a training run wrote", response_class=Response)
def logs(run: str, caller: Trainer, here: Here) -> Response:
    """The end of the log of each attempt, the oldest first."""
    record = find_run(here, caller.tenant, run)
    found = [info.key for info in here.store.list(keys.run(record.tenant, run, "logs/"))]
    return Response(b"\n".join(map(here.store.get, found)), media_type="text/plain; charset=utf-8")


@router.post("/{run}/cancel", summary="Cancel a training run")
def cancel(run: str, caller: Trainer, here: Here) -> RunDetails:
    """Stop a run for good. One that works stops after its step; what has ended stays as it is."""
    return _command(here, find_run(here, caller.tenant, run), "cancel")


@router.post("/{run}/pause", summary="Pause a training run")
def pause(run: str, caller: Trainer, here: Here) -> RunDetails:
    """Stop a run after its step, with a checkpoint, until it is resumed."""
    return _command(here, find_run(here, caller.tenant, run), "pause")


@router.post("/{run}/resume", summary="Resume a training run")
def resume(run: str, caller: Trainer, here: Here, later: BackgroundTasks) -> RunDetails:
    """Queue a paused run again; it goes on with the numbers of an uninterrupted one."""
    later.add_task(here.ring, "training", 1)
    return _command(here, find_run(here, caller.tenant, run), "resume")


def _command(here: Services, record: RunRecord, command: Command) -> RunDetails:
    roster, end = Roster(here.ledger), load_end(here.store, record)
    goes_on = end is None or end.state == "paused"
    if goes_on and load_stop_request(here.store, record) != "cancelled":  # which nothing takes back
        if command == "resume":
            delete_end(here.store, record)
            end = None
        else:
            write_stop_request(here.store, record, "paused" if command == "pause" else "cancelled")
    if roster.command(record.id, command) is None:  # a restarted Redis may have forgotten it
        roster.add(record.entry(), end)
        roster.command(record.id, command)
    settle(here.store, roster, record.id)
    return details_of(here, record)
