"""Data sets: create, list, show and remove the data sets of a tenant."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api_gateway.auth import Trainer
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.requests import StrictRoute
from api_gateway.schemas import Page, RemovalView
from prodgen.datasets.listing import Sha256
from prodgen.datasets.remove import remove_dataset
from prodgen.datasets.summary import Summary
from prodgen.datasets.versions import Dataset, create_dataset, dataset_lock, datasets, resolve_dataset
from prodgen.errors import Conflict
from prodgen.ledger.roster import Roster
from prodgen.runs.files import find_record
from prodgen.tenants import grant_of

router = APIRouter(prefix="/v1/datasets", tags=["data sets"], route_class=StrictRoute)


class NewDataset(BaseModel, extra="forbid"):
    """A request to create a version of a data set."""

    listing: Sha256 = Field(description="The upload that lists the files.")
    summary: Summary = Field(description="What the caller found in the files.")


class DatasetView(BaseModel):
    """A version of a data set. ``created`` is the Unix time of the last push; ``files`` is a number."""

    id: str
    object: Literal["dataset"] = "dataset"
    created: int
    name: str
    version: str
    files: int
    bytes: int
    summary: Summary


@router.post("/{name}", status_code=201, summary="Create a version of a data set")
def create(name: str, new: NewDataset, caller: Trainer, deployment: DeploymentDep) -> DatasetView:
    """Create a version from files that are uploaded already, each cut into chunks of 32 MiB.

    Upload the list of the files too. Each line of the list describes a file:
    `{"path": "bag/1.jpg", "bytes": 123, "chunks": [sha256, …]}`. `/v1/uploads/missing` returns the chunks
    that are not uploaded yet.
    """
    store, tenant, most = deployment.store, caller.tenant, deployment.settings.cache_mb << 20
    room = grant_of(store, tenant).data_mb
    with dataset_lock(deployment.ledger, tenant):
        return _view(create_dataset(store, tenant, name, new.listing, new.summary, most, room and room << 20))


@router.get("", summary="List data sets")
def index(caller: Trainer, deployment: DeploymentDep) -> Page[DatasetView]:
    """List every version of your data sets, the last pushed version first."""
    return Page(data=[_view(dataset) for dataset in datasets(deployment.store, caller.tenant)])


@router.get("/{ref}", summary="Show a data set")
def show(ref: str, caller: Trainer, deployment: DeploymentDep) -> DatasetView:
    """Show one version: `name@version`, or the last pushed version of `name`."""
    return _view(resolve_dataset(deployment.store, caller.tenant, ref))


@router.delete("/{ref}", summary="Remove a data set")
def remove(ref: str, caller: Trainer, deployment: DeploymentDep) -> RemovalView:
    """Remove `name@version`, or all versions of `name`, for good. Content that other data sets share stays.

    Answers 409 while a run that has not ended reads one of the versions. If the connection breaks during a
    removal, send the request again to complete the removal.
    """
    lock = partial(dataset_lock, deployment.ledger, caller.tenant)
    check = partial(_check_unread, deployment, caller.tenant)
    removed = remove_dataset(deployment.store, caller.tenant, ref, lock, check)
    return RemovalView(removed=removed.versions, bytes=removed.bytes)


def _check_unread(deployment: Deployment, tenant: str, versions: Sequence[Dataset]) -> None:
    """Raise Conflict if a run that has not ended reads one of the versions."""
    ledger = deployment.ledger
    ledger.check_complete()
    ids = {dataset.id for dataset in versions}
    for run in Roster(ledger).unended(tenant):
        record = find_record(deployment.store, tenant, run.id)
        if record and record.data in ids:
            raise Conflict(
                f"run {run.id} is {run.state} and reads {record.data}; cancel it, or wait for its end",
                param="dataset",
            )


def _view(dataset: Dataset) -> DatasetView:
    fields = {**dict(dataset), "id": dataset.id, "created": int(dataset.created.timestamp())}
    return DatasetView(**fields)
