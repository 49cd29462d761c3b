"""What the API shows of jobs and images."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from prodgen.jobs.record import JobRecord
from prodgen.ledger.entries import Progress, State
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.order import CELL, JobSpec


class Links(BaseModel):
    """Where the rest of a job is."""

    self: str
    events: str
    images: str
    cancel: str


class JobView(BaseModel):
    """A job as it stands; counts are of images, ``failed`` those that could not be made."""

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
        """The view of what the ledger says."""
        return cls(**_standing(progress))


class JobDetails(JobView):
    """A job with what was ordered; ``model`` is the version that makes all of it."""

    model: str
    packaging: Literal["files", "tar"]
    request: JobSpec

    @classmethod
    def of_record(cls, progress: Progress, record: JobRecord) -> "JobDetails":
        """The view of what the ledger says and the store holds."""
        return cls(**_standing(progress), model=record.model, packaging=record.packaging, request=record.spec)


class JobList(BaseModel):
    """A page of jobs, newest first."""

    object: Literal["list"] = "list"
    data: list[JobView]
    next: str | None


class ImageView(ManifestLine):
    """An image, where to fetch it, and all that is needed to make it again; not where it is stored."""

    url: str
    object: str | None = Field(default=None, exclude=True)
    offset: int | None = Field(default=None, exclude=True)
    length: int | None = Field(default=None, exclude=True)


class ImageList(BaseModel):
    """A page of images, by index."""

    object: Literal["list"] = "list"
    data: list[ImageView]
    next: str | None


def _standing(progress: Progress) -> dict[str, Any]:
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
