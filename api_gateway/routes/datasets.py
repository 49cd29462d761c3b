"""The data sets that a caller may train on."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from api_gateway.auth import Trainer
from api_gateway.services import Services, services
from prodgen.datasets import Dataset, Summary, create_dataset, datasets, resolve_dataset
from prodgen.datasets.listing import Sha256
from prodgen.datasets.lock import dataset_lock
from prodgen.datasets.remove import remove_dataset
from prodgen.errors import Conflict
from prodgen.ledger.roster import Roster
from prodgen.ledger.run_entries import ENDED
from prodgen.ledger.scripts import LedgerLost
from prodgen.runs.files import find_record

router = APIRouter(prefix="/v1/datasets", tags=["data sets"])

Here = Annotated[Services, Depends(services)]

RUNS = 100
"""Of the roster's, a page."""


class NewDataset(BaseModel):
    """``listing`` is the upload that lists the files; ``summary`` what the caller found in them."""

    model_config = ConfigDict(extra="forbid")

    listing: Sha256
    summary: Summary


class DatasetView(BaseModel):
    """A version of a data set, ``id``; ``created`` is when it was last pushed, ``files`` how many it has."""

    id: str
    object: Literal["dataset"] = "dataset"
    created: int
    name: str
    version: str
    files: int
    bytes: int
    summary: Summary


class DatasetList(BaseModel):
    """All of them."""

    object: Literal["list"] = "list"
    data: list[DatasetView]
    next: None = None


class RemovalView(BaseModel):
    """The versions that are gone; ``bytes``: what of their content was theirs alone, and is deleted."""

    object: Literal["removal"] = "removal"
    removed: list[str]
    bytes: int


@router.post("/{name}", status_code=201, summary="Make a version of a data set")
def create(name: str, new: NewDataset, caller: Trainer, here: Here) -> DatasetView:
    """Of files that are uploads already: each cut into chunks of 32 MiB, the last with the rest.

    The list of them is an upload too, JSONL of `{"path": "bag/1.jpg", "bytes": 123, "chunks": [sha256, …]}`.
    Ask `/v1/uploads/missing` what has to be sent.
    """
    with dataset_lock(here.ledger, caller.tenant):
        return _view(create_dataset(here.store, caller.tenant, name, new.listing, new.summary))


@router.get("", summary="List data sets")
def index(caller: Trainer, here: Here) -> DatasetList:
    """Every version of yours, the one that was pushed last first."""
    return DatasetList(data=[_view(dataset) for dataset in datasets(here.store, caller.tenant)])


@router.get("/{ref}", summary="Show a data set")
def show(ref: str, caller: Trainer, here: Here) -> DatasetView:
    """One version: `name@version`, or the one that was pushed last as `name`."""
    return _view(resolve_dataset(here.store, caller.tenant, ref))


@router.delete("/{ref}", summary="Remove a data set")
def remove(ref: str, caller: Trainer, here: Here) -> RemovalView:
    """Remove `name@version`, or with `name` all its versions, for good. What other data sets share stays.

    Refused with 409 while a run that has not ended reads one of them. What broke off half way goes on when it
    is asked for again.
    """
    lock = partial(dataset_lock, here.ledger, caller.tenant)
    check = partial(_check_unread, here, caller.tenant)
    gone = remove_dataset(here.store, caller.tenant, ref, lock, check)
    return RemovalView(removed=gone.versions, bytes=gone.bytes)


def _check_unread(here: Services, tenant: str, going: Sequence[Dataset]) -> None:
    if here.ledger.epoch() is None or here.ledger.server_restarted():  # it may have forgotten runs
        raise LedgerLost
    refs, roster, last = {dataset.id for dataset in going}, Roster(here.ledger), None
    while page := roster.runs(tenant, last, RUNS):
        for run in page:
            record = find_record(here.store, tenant, run.id) if run.state not in ENDED else None
            if record and record.data in refs:
                raise Conflict(
                    f"run {run.id} is {run.state} and reads {record.data}; cancel it, or wait for its end",
                    param="dataset",
                )
        last = page[-1].id


def _view(dataset: Dataset) -> DatasetView:
    return DatasetView(
        id=dataset.id,
        created=int(dataset.created.timestamp()),
        name=dataset.name,
        version=dataset.version,
        files=dataset.files,
        bytes=dataset.bytes,
        summary=dataset.summary,
    )
