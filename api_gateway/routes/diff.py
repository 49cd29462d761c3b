"""The diff of a job: order it again with another version, compare the images, and choose among them."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Annotated

from asgi_correlation_id import correlation_id
from fastapi import APIRouter, BackgroundTasks, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from api_gateway.auth import Generator
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.lookup import find_job_record, job_details
from api_gateway.requests import AfterNumber, IdempotencyKey, StrictRoute
from api_gateway.routes.jobs import DOORBELLS, check_marks, image_view, link, note_job
from api_gateway.schemas import ChoicesView, JobDetails, Page, PairView
from prodgen.errors import ProdgenError
from prodgen.jobs.diff import Choice, Pair, choose, load_choices, measure, order_again, pairs
from prodgen.storage.links import content_disposition

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)

LINK_SECONDS = 7 * 24 * 3600
"""Seconds for which the links in a table of choices work: seven days, the longest time that S3 allows."""
_COLUMNS = ("sku", "index", "choice", "job", "file", "url")
_READ = 1000
"""Number of pairs that one read fetches for the table of choices."""


class OrderAgain(BaseModel, extra="forbid"):
    """The version that makes an order again: `NAME`, `NAME@ALIAS` or `NAME@VERSION`."""

    model: str = Field(min_length=1, max_length=200)


class ChosenImages(BaseModel, extra="forbid"):
    """The images, by index, for which `new` or `old` is chosen; null: they are undecided again."""

    images: list[Annotated[int, Field(ge=0)]] = Field(min_length=1, max_length=1000)
    choice: Choice | None


@router.post("/{job}/again", status_code=202, summary="Order again with another version")
def again(
    job: str,
    wanted: OrderAgain,
    caller: Generator,
    deployment: DeploymentDep,
    request: Request,
    later: BackgroundTasks,
    idempotency_key: IdempotencyKey,
) -> JobDetails:
    """Place the order of a job again, by another version of the model: the same products, seeds, attributes,
    finish and output. The new job's `again_of` names the first one. `finish_by` and `webhook` do not apply.
    """
    record = find_job_record(deployment, caller.tenant, job)
    check_marks(record.spec, caller)
    services = (deployment.store, deployment.ledger, deployment.settings)
    made, new = order_again(*services, record, wanted.model, idempotency_key, request_id=correlation_id.get())
    note_job(request, made, new)
    later.add_task(deployment.ring, made.spec.priority, min(made.cells, DOORBELLS))
    return job_details(deployment, made)


@router.get("/{job}/diff/{other}", summary="Compare a job with its other version")
def diff(
    job: str,
    other: str,
    caller: Generator,
    deployment: DeploymentDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    after: AfterNumber = -1,
) -> Page[PairView]:
    """List the images of `job` beside those of `other`, the job that made the same order by another version.

    The pairs are sorted by index; each says how much the image has changed. Images that one of the jobs has
    not finished are left out, so a page may have fewer than `limit` pairs.
    """
    old, new = (find_job_record(deployment, caller.tenant, one) for one in (job, other))
    found, following = pairs(deployment.store, old, new, after, limit)
    choices = load_choices(deployment.store, old, new)
    views = [
        PairView(
            index=pair.new.index,
            sku=pair.new.sku,
            change=round(change, 2),
            colour=round(colour, 2),
            choice=choices.get(pair.new.index),
            old=image_view(deployment, pair.old),
            new=image_view(deployment, pair.new),
        )
        for pair, (change, colour) in zip(found, measure(deployment.store, old, new, found), strict=True)
    ]
    return Page(data=views, next=None if following is None else str(following))


@router.post("/{job}/diff/{other}/choices", summary="Choose among compared images")
def decide(
    job: str, other: str, chosen: ChosenImages, caller: Generator, deployment: DeploymentDep
) -> ChoicesView:
    """Choose the image of `other` (`new`), or keep that of `job` (`old`), for each of these indices."""
    old, new = (find_job_record(deployment, caller.tenant, one) for one in (job, other))
    pairs(deployment.store, old, new, limit=1)  # raises if the jobs cannot be compared
    choices = choose(deployment.store, deployment.ledger, old, new, chosen.images, chosen.choice)
    taken = [*choices.values()].count("new")
    return ChoicesView(new=taken, old=len(choices) - taken, undecided=new.total - len(choices))


@router.get(
    "/{job}/diff/{other}/choices",
    summary="Download the chosen images as a table",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}}}},
)
def choices(job: str, other: str, caller: Generator, deployment: DeploymentDep) -> Response:
    """Send a CSV with a row for each pair: `sku`, `index`, `choice`, and the chosen image's `job`, `file` and
    `url`. An undecided pair has the image of `job`. The links need no key and work for seven days.
    """
    old, new = (find_job_record(deployment, caller.tenant, one) for one in (job, other))
    found = pairs(deployment.store, old, new, limit=_READ)
    chosen = load_choices(deployment.store, old, new)

    def rows() -> Iterator[str]:
        page, following = found
        yield _csv([_COLUMNS])
        while True:
            yield _csv(_row(deployment, pair, old.id, new.id, chosen.get(pair.new.index)) for pair in page)
            if following is None:
                return
            try:
                page, following = pairs(deployment.store, old, new, following, _READ)
            except ProdgenError as error:  # the answer has begun, so its last row says why it ends
                yield _csv([(f"The table is not complete: {error}",)])
                return

    headers = {"Content-Disposition": content_disposition(f"choices-{other}.csv")}
    return StreamingResponse(rows(), media_type="text/csv; charset=utf-8", headers=headers)


def _row(deployment: Deployment, pair: Pair, old: str, new: str, choice: Choice | None) -> tuple[object, ...]:
    line, job = (pair.new, new) if choice == "new" else (pair.old, old)
    url = link(deployment, line, LINK_SECONDS)
    return line.sku or "", line.index, choice or "undecided", job, line.file, url


def _csv(rows: Iterable[tuple[object, ...]]) -> str:
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(rows)
    return table.getvalue()
