"""The JSON that the API sends for jobs and images."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from prodgen.jobs.record import JobRecord
from prodgen.ledger.entries import Progress, State
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.order import CELL, JobSpec


class Links(BaseModel):
    """The paths of a job's other resources."""

    self: str
    events: str
    images: str
    cancel: str


class JobView(BaseModel):
    """A job and its state. ``total``, ``done`` and ``failed`` count images."""

    id: str
    object: Literal["job"] = "job"
    state: State
    priority: Literal["interactive", "bulk"]
    total: int
    done: int
    failed: int
    error: str | None
    created: datetime
    updated: datetime
    links: Links

    @classmethod
    def of(cls, progress: Progress) -> "JobView":
        """Return the view of a job's progress."""
        return cls(**_fields(progress))


class JobDetails(JobView):
    """A job with its order. ``model`` is the version that makes all of its images."""

    model: str
    packaging: Literal["files", "tar"]
    request: JobSpec

    @classmethod
    def of_record(cls, progress: Progress, record: JobRecord) -> "JobDetails":
        """Return the view of a job's progress and its record."""
        return cls(**_fields(progress), model=record.model, packaging=record.packaging, request=record.spec)


class JobList(BaseModel):
    """A page of jobs, newest first."""

    object: Literal["list"] = "list"
    data: list[JobView]
    next: str | None


class ImageView(ManifestLine):
    """An image: a link to it, and all that is needed to make it again."""

    url: str
    object: str | None = Field(default=None, exclude=True)
    offset: int | None = Field(default=None, exclude=True)
    length: int | None = Field(default=None, exclude=True)


class ImageList(BaseModel):
    """A page of images, in the order of their index."""

    object: Literal["list"] = "list"
    data: list[ImageView]
    next: str | None


def _fields(progress: Progress) -> dict[str, Any]:
    path = f"/v1/jobs/{progress.id}"
    return {
        "id": progress.id,
        "state": progress.state,
        "priority": progress.queue,
        "total": progress.total,
        "done": progress.done,
        "failed": sum(min(CELL, progress.total - cell * CELL) for cell in progress.dead),
        "error": progress.error,
        "created": datetime.fromtimestamp(progress.created, UTC),
        "updated": datetime.fromtimestamp(progress.updated, UTC),
        "links": {
            "self": path,
            "events": f"{path}/events",
            "images": f"{path}/images",
            "cancel": f"{path}/cancel",
        },
    }
