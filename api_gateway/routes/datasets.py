"""The data sets that a caller may train on."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from api_gateway.auth import Trainer
from api_gateway.services import Services, services
from prodgen.datasets import Dataset, Summary, create_dataset, datasets, resolve_dataset
from prodgen.datasets.listing import Sha256

router = APIRouter(prefix="/v1/datasets", tags=["data sets"])

Here = Annotated[Services, Depends(services)]


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


@router.post("/{name}", status_code=201, summary="Make a version of a data set")
def create(name: str, new: NewDataset, caller: Trainer, here: Here) -> DatasetView:
    """Of files that are uploads already: each cut into chunks of 32 MiB, the last with the rest.

    The list of them is an upload too, JSONL of `{"path": "bag/1.jpg", "bytes": 123, "chunks": [sha256, …]}`.
    Ask `/v1/uploads/missing` what has to be sent.
    """
    return _view(create_dataset(here.store, caller.tenant, name, new.listing, new.summary))


@router.get("", summary="List data sets")
def index(caller: Trainer, here: Here) -> DatasetList:
    """Every version of yours, the one that was pushed last first."""
    return DatasetList(data=[_view(dataset) for dataset in datasets(here.store, caller.tenant)])


@router.get("/{ref}", summary="Show a data set")
def show(ref: str, caller: Trainer, here: Here) -> DatasetView:
    """One version: `name@version`, or the one that was pushed last as `name`."""
    return _view(resolve_dataset(here.store, caller.tenant, ref))


def _view(dataset: Dataset) -> DatasetView:
    return DatasetView(
        id=dataset.ref,
        created=int(dataset.created.timestamp()),
        name=dataset.name,
        version=dataset.version,
        files=dataset.files,
        bytes=dataset.bytes,
        summary=dataset.summary,
    )
