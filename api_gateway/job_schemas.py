"""The JSON that the API sends for jobs and images."""

from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, Field

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
    def of(cls, progress: Progress, **others: Any) -> Self:
        """Return the view of a job's progress. ``others`` are the fields that the progress does not have."""
        path = f"/v1/jobs/{progress.id}"
        return cls(
            id=progress.id,
            state=progress.state,
            priority=progress.queue,
            total=progress.total,
            done=progress.done,
            failed=sum(min(CELL, progress.total - cell * CELL) for cell in progress.dead),
            error=progress.error,
            created=datetime.fromtimestamp(progress.created, UTC),
            updated=datetime.fromtimestamp(progress.updated, UTC),
            links=Links(self=path, events=f"{path}/events", images=f"{path}/images", cancel=f"{path}/cancel"),
            **others,
        )


class JobDetails(JobView):
    """A job with its order. ``model`` is the version that makes all of its images."""

    model: str
    packaging: Literal["files", "tar"]
    request: JobSpec


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
