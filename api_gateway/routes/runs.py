"""Runs: queue, list, show, follow, pause, resume, cancel, delete and restore them."""

from collections.abc import Callable
from typing import Annotated

from asgi_correlation_id import correlation_id
from fastapi import APIRouter, BackgroundTasks, Depends, Query, Request, Response
from sse_starlette import EventSourceResponse

from api_gateway.auth import Trainer
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.event_streams import RESPONSES, Stream
from api_gateway.lookup import check_run_id, find_run_record, run_details, run_status
from api_gateway.requests import Cursor, IdempotencyKey, Limit, StrictRoute
from api_gateway.schemas import MetricsView, Page, RunDeletionView, RunDetails, RunView, SampleView
from prodgen.ledger.entries import Event
from prodgen.ledger.roster import Roster
from prodgen.ledger.run_entries import ENDED, Command
from prodgen.runs.deletion import DeletedRuns
from prodgen.runs.ending import settle
from prodgen.runs.files import delete_end, load_end, load_metrics, load_stop_request, write_stop_request
from prodgen.runs.record import EvaluationSpec, PreparationSpec, RunRecord, Spec, TrainingSpec
from prodgen.runs.submission import submit_run
from prodgen.storage import keys

router = APIRouter(prefix="/v1", tags=["training"], route_class=StrictRoute)

RATE, SCORE = "images_per_second", "domain_fid"
"""Fields of metrics.jsonl: only lines with losses have `RATE`; only lines with scores have `SCORE`."""


async def _queue_run(
    caller: Trainer,
    deployment: DeploymentDep,
    request: Request,
    response: Response,
    later: BackgroundTasks,
    key: IdempotencyKey,
) -> Callable[[Spec], RunDetails]:
    """Return a function that queues a run, sets headers of the response, and returns the run's details."""

    def queue(spec: Spec) -> RunDetails:
        store, ledger, request_id = deployment.store, deployment.ledger, correlation_id.get()
        record, created = submit_run(store, ledger, caller.tenant, spec, key, request_id=request_id)
        request.state.run = record.id
        response.headers["Location"] = f"/v1/training-jobs/{record.id}"
        if not created:
            response.headers["Idempotent-Replayed"] = "true"
        later.add_task(deployment.ring, "training", 1)
        return run_details(deployment, record)

    return queue


QueueRun = Annotated[Callable[[Spec], RunDetails], Depends(_queue_run)]


@router.post("/training-jobs", status_code=202, summary="Queue a training run")
def train(spec: TrainingSpec, queue: QueueRun) -> RunDetails:
    """Queue a training run. A run whose recipe, data or source model cannot work is refused, with the
    reason."""
    return queue(spec)


@router.post("/preparation-jobs", status_code=202, summary="Queue the preparation of photographs")
def prepare(spec: PreparationSpec, queue: QueueRun) -> RunDetails:
    """Queue a run that prepares the photographs of a data set for training. The run leaves out bad
    photographs, cuts the product out of each other photograph, and names the product's colours. The result
    is a new data set.

    The routes of training runs also show, follow, pause and cancel this run. The samples `left-out.jsonl` and
    `set-aside.jsonl` name every picture that the run does not use, and the reason.
    """
    return queue(spec)


@router.post("/evaluation-jobs", status_code=202, summary="Queue the evaluation of a model")
def evaluate(spec: EvaluationSpec, queue: QueueRun) -> RunDetails:
    """Queue a run that measures one of your models, or a shared model, on a data set with a test split.

    The routes of training runs also show, follow, pause and cancel this run. The scores are the run's
    `metrics`; the card and the pictures are the run's samples.
    """
    return queue(spec)


@router.get("/training-jobs", summary="List your runs")
def index(
    caller: Trainer,
    deployment: DeploymentDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Cursor = None,
) -> Page[RunView]:
    """List your trainings, preparations and evaluations, newest first."""
    found = Roster(deployment.ledger).runs(caller.tenant, after, limit + 1)
    following = found[limit - 1].id if found[limit:] else None
    return Page(data=list(map(RunView.of, found[:limit])), next=following)


@router.get("/training-jobs/{run}", summary="Show a run")
def show(run: str, caller: Trainer, deployment: DeploymentDep) -> RunDetails:
    """Show one run: its progress, its scores and its request."""
    return run_details(deployment, find_run_record(deployment, caller.tenant, run))


@router.get(
    "/training-jobs/{run}/events",
    summary="Follow a run",
    response_class=EventSourceResponse,
    responses=RESPONSES,
)
def follow(run: str, caller: Trainer, deployment: DeploymentDep, stream: Stream) -> EventSourceResponse:
    """Send every change of a run's state and progress, from the oldest that is kept, until the run has ended.

    `event` is `state` or `progress`; `data` is `{"type", "state", "step", "steps", "restarts", …}`. Progress
    also has `images_per_second`, `losses`, `metrics` (of the last evaluation) and `seconds_left`.
    """
    record, roster = find_run_record(deployment, caller.tenant, run), Roster(deployment.ledger)

    def events(last: str) -> list[Event]:
        return roster.events(run, last)

    def present() -> dict[str, object]:
        now = vars(run_status(deployment, record))
        return {name: now[name] for name in ("state", "step", "steps", "restarts")}

    return stream.respond(f"run:{run}:events", events, present, ENDED)


@router.get("/training-jobs/{run}/samples", summary="List a run's samples")
def samples(run: str, caller: Trainer, deployment: DeploymentDep) -> Page[SampleView]:
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
    return Page(data=views)


@router.get("/training-jobs/{run}/metrics", summary="List a run's losses and scores")
def metrics(
    run: str,
    caller: Trainer,
    deployment: DeploymentDep,
    limit: Limit = 1000,
    after: Annotated[int | None, Query(ge=0, description="The `next` of the page before.")] = None,
) -> Page[MetricsView]:
    """List what a training has logged up to its newest checkpoint, by step. Events bring what follows."""
    logged: dict[int, MetricsView] = {}
    for line in load_metrics(deployment.store, find_run_record(deployment, caller.tenant, run)):
        fields = {name: line.pop(name) for name in ("step", "images", "time")}
        view = logged.setdefault(fields["step"], MetricsView(**fields))
        if SCORE in line:
            view.metrics.update(line)
        else:
            view.images_per_second = line.pop(RATE, None)
            view.losses.update(line)
    views = [view for step, view in sorted(logged.items()) if after is None or step > after]
    return Page(data=views[:limit], next=str(views[limit - 1].step) if views[limit:] else None)


@router.get("/training-jobs/{run}/logs", summary="Read a run's logs", response_class=Response)
def logs(run: str, caller: Trainer, deployment: DeploymentDep) -> Response:
    """Return the end of the log of each attempt as plain text, the oldest attempt first."""
    record = find_run_record(deployment, caller.tenant, run)
    found = [info.key for info in deployment.store.list(keys.run(record.tenant, run, "logs/"))]
    return Response(b"\n".join(map(deployment.store.get, found)), media_type="text/plain; charset=utf-8")


@router.post("/training-jobs/{run}/cancel", summary="Cancel a run")
def cancel(run: str, caller: Trainer, deployment: DeploymentDep) -> RunDetails:
    """Stop a run for good, after its present step. A run that has ended does not change."""
    return _command(deployment, find_run_record(deployment, caller.tenant, run), "cancel")


@router.post("/training-jobs/{run}/pause", summary="Pause a run")
def pause(run: str, caller: Trainer, deployment: DeploymentDep) -> RunDetails:
    """Stop a run after its present step, with a checkpoint, until it is resumed."""
    return _command(deployment, find_run_record(deployment, caller.tenant, run), "pause")


@router.post("/training-jobs/{run}/resume", summary="Resume a run")
def resume(run: str, caller: Trainer, deployment: DeploymentDep, later: BackgroundTasks) -> RunDetails:
    """Queue a paused run again. It continues with the same numbers as an uninterrupted run."""
    later.add_task(deployment.ring, "training", 1)
    return _command(deployment, find_run_record(deployment, caller.tenant, run), "resume")


@router.delete("/training-jobs/{run}", summary="Delete a run")
def delete(
    run: str,
    caller: Trainer,
    deployment: DeploymentDep,
    for_good: Annotated[bool, Query(description="Skip the trash: delete the files within minutes.")] = False,
) -> RunDeletionView:
    """Delete an ended run with its checkpoints, samples and logs. For seven days the run can be restored.

    Answers 409 for a run that has not ended, and for a training whose model is not deleted yet. The data set
    of a preparation stays. The run's idempotency key queues nothing for seven days.
    """
    check_run_id(run)
    runs = DeletedRuns(deployment.store)
    return RunDeletionView.of(runs.delete(deployment.ledger, caller.tenant, run, for_good))


@router.post("/training-jobs/{run}/restore", summary="Restore a deleted run")
def restore(run: str, caller: Trainer, deployment: DeploymentDep) -> RunDetails:
    """Restore a run that was deleted in the last seven days. A run that is not deleted does not change."""
    check_run_id(run)
    return run_details(
        deployment, DeletedRuns(deployment.store).restore(deployment.ledger, caller.tenant, run)
    )


def _command(deployment: Deployment, record: RunRecord, command: Command) -> RunDetails:
    """Give a run a command and return its details.

    Writes the command to the store first, so that a restart of Redis does not lose it, then to the roster.
    """
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
    return run_details(deployment, record)
