"""Webhooks: the secret that signs them, what became of a message, and messages that were given up."""

from datetime import datetime
from itertools import islice
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from api_gateway.auth import Administrator, Generator
from api_gateway.deployment import DeploymentDep
from api_gateway.lookup import check_id, find_job_record
from api_gateway.requests import Cursor, StrictRoute
from api_gateway.schemas import Page
from prodgen.errors import NotFound
from prodgen.jobs.record import JobRecord
from prodgen.jobs.webhook_secrets import webhook_secret
from prodgen.jobs.webhooks import Delivery, dead_deliveries, find_delivery, replay

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=StrictRoute)


class SecretView(BaseModel):
    """The secret by which a receiver verifies messages, as Standard Webhooks writes it."""

    object: Literal["webhook-secret"] = "webhook-secret"
    secret: str


class DeliveryView(BaseModel):
    """The state of the message about a job's end. ``message`` is the header ``webhook-id`` of each attempt.

    A ``waiting`` message is sent again; a ``dead`` one only if it is replayed. ``first`` and ``last`` are the
    times of the first and the last attempt. ``status`` is that of the last answer; ``error`` says why the
    last attempt failed.
    """

    object: Literal["webhook-delivery"] = "webhook-delivery"
    job: str
    url: str
    message: str
    state: Literal["waiting", "delivered", "dead"]
    attempts: int
    first: datetime | None
    last: datetime | None
    status: int | None
    error: str | None

    @classmethod
    def of(cls, record: JobRecord, delivery: Delivery) -> "DeliveryView":
        """Return the view of the delivery of a job's message."""
        return cls(job=record.id, url=record.spec.webhook or "", **dict(delivery))


@router.get("", summary="List webhooks that were given up")
def index(
    caller: Generator,
    deployment: DeploymentDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Cursor = None,
) -> Page[DeliveryView]:
    """List the messages that no receiver took for a day, and those that were answered with 410, by job id."""
    dead = dead_deliveries(deployment.store, caller.tenant, after or "")
    found = [DeliveryView.of(*one) for one in islice(dead, limit + 1)]
    return Page(data=found[:limit], next=found[limit - 1].job if len(found) > limit else None)


@router.get("/secret", summary="Show the webhook secret")
def secret(caller: Administrator, deployment: DeploymentDep) -> SecretView:
    """Show the secret that signs your webhooks. The first call makes it."""
    return SecretView(secret=webhook_secret(deployment.store, deployment.ledger, caller.tenant))


@router.post("/secret/rotate", summary="Change the webhook secret")
def rotate(caller: Administrator, deployment: DeploymentDep) -> SecretView:
    """Make a new secret for webhooks. For one day, each message is signed with the old secret as well."""
    found = webhook_secret(deployment.store, deployment.ledger, caller.tenant, rotate=True)
    return SecretView(secret=found)


@router.get("/{job}", summary="Show a job's webhook")
def show(job: str, caller: Generator, deployment: DeploymentDep) -> DeliveryView:
    """Show what became of the message about a job's end. Answers 404 before the first attempt."""
    record = find_job_record(deployment, caller.tenant, job)
    delivery = find_delivery(deployment.store, record)
    if delivery is None:
        raise NotFound(f"no webhook of job {job} has been sent", param="job")
    return DeliveryView.of(record, delivery)


@router.post("/{job}/replay", status_code=202, summary="Send a job's webhook again")
def send_again(job: str, caller: Generator, deployment: DeploymentDep) -> DeliveryView:
    """Send the message about an ended job again, for another day if need be. Its id stays the same."""
    check_id(job)
    delivery = replay(deployment.store, caller.tenant, job)
    return DeliveryView.of(find_job_record(deployment, caller.tenant, job), delivery)
