"""The images of a job, in order, each with a link."""

from typing import Annotated

from fastapi import Query

from api_gateway.auth import Generator
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.job_schemas import ImageList, ImageView
from api_gateway.json_body import Router
from api_gateway.lookup import find_job_record
from prodgen.errors import ProdgenError
from prodgen.jobs.delivery import page
from prodgen.spec.manifest import ManifestLine
from prodgen.storage.links import sign

router = Router(prefix="/v1/jobs", tags=["images"])

MAX_INDEX = 2**63 - 1


@router.get("/{job}/images", summary="List a job's images")
def index(
    job: str,
    caller: Generator,
    deployment: DeploymentDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[int, Query(ge=-1, le=MAX_INDEX, description="The `next` of the page before.")] = -1,
) -> ImageList:
    """List the finished images by index. Their links need no key and expire; a new list has new links."""
    record = find_job_record(deployment, caller.tenant, job)
    lines, following = page(deployment.store, record, after, limit)
    return ImageList(
        data=[ImageView(**dict(line), url=_link(deployment, line)) for line in lines],
        next=None if following is None else str(following),
    )


def _link(deployment: Deployment, line: ManifestLine) -> str:
    """Return a link to the store for a whole object, and to the gateway for a member of a tar."""
    settings = deployment.settings
    if line.object is None:
        raise ProdgenError(f"image {line.index} names no object")
    if line.offset is None or line.length is None:
        return deployment.store.link(line.object, settings.link_seconds, line.file)
    secret = settings.secret_key.get_secret_value()
    place = (line.object, settings.link_seconds, line.file, line.offset, line.length)
    return sign(secret, settings.public_url, *place)
