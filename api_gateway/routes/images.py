"""The images of a job, in order, each with a link."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api_gateway.auth import Generator
from api_gateway.lookup import find_order
from api_gateway.services import Services, services
from api_gateway.views import ImageList, ImageView
from prodgen.errors import ProdgenError
from prodgen.jobs.delivery import page
from prodgen.spec.manifest import ManifestLine
from prodgen.storage.links import sign

router = APIRouter(prefix="/v1/jobs", tags=["images"])


@router.get("/{job}/images", summary="List a job's images")
def index(
    job: str,
    caller: Generator,
    here: Annotated[Services, Depends(services)],
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[int, Query(ge=-1, description="The `next` of the page before.")] = -1,
) -> ImageList:
    """What is made so far. The links need no key and work for a while; ask again for fresh ones."""
    record = find_order(here, caller.tenant, job)
    lines, following = page(here.store, record, after, limit)
    return ImageList(
        data=[_view(here, line) for line in lines], next=None if following is None else str(following)
    )


def _view(here: Services, line: ManifestLine) -> ImageView:
    return ImageView(**dict(line), url=_link(here, line))


def _link(here: Services, line: ManifestLine) -> str:
    """Straight to the store for an object of its own; through the gateway for a member of a tar."""
    seconds = here.settings.link_seconds
    if line.object is None:
        raise ProdgenError(f"image {line.index} names no object")
    if line.offset is None or line.length is None:
        return here.store.link(line.object, seconds, line.file)
    secret, public = here.settings.secret_key.get_secret_value(), here.settings.public_url
    return sign(secret, public, line.object, seconds, line.file, line.offset, line.length)
