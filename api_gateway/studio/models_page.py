"""Models: see the versions with their samples and scores, promote one, and roll an alias back."""

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from api_gateway.auth import Anyone
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.routes import datasets, models
from api_gateway.routes.datasets import DatasetView
from api_gateway.routes.models import ModelView
from api_gateway.studio.frame import PageRoute, render
from prodgen.errors import NotFound, ProdgenError
from prodgen.evaluation.compatibility import TEST_SPLIT, check_attributes
from prodgen.registry.versions import folder
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.model_config import STUDIO
from prodgen.storage.base import in_threads

PICTURES = ("samples.png", "colours.png", "reconstructions.png")
"""Files of a version that show images of the model. The page uses the first that exists."""

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/models")
def show(request: Request, caller: Anyone, deployment: DeploymentDep) -> Response:
    """List every version that the key may use: the tenant's before shared ones, by name, newest first."""
    views = models.index(caller, deployment).data
    views.sort(key=lambda one: (one.owned_by == "shared", one.name, -one.created))
    counts = Counter((one.name, one.owned_by) for one in views)
    samples = in_threads(lambda one: _sample(deployment, one, caller.tenant), views)
    data = datasets.index(caller, deployment).data if caller.allows("train") else []
    return render(
        request,
        "models.html",
        models=[
            (one, datetime.fromtimestamp(one.created, UTC), sample)
            for one, sample in zip(views, samples, strict=True)
        ],
        several={key for key, count in counts.items() if count > 1},
        studio=STUDIO,
        measurable={one.id: [each.id for each in data if _fits(one, each)] for one in views},
        may_promote=caller.allows("promote"),
        may_order=caller.allows("generate"),
    )


def _fits(one: ModelView, data: DatasetView) -> bool:
    """Return whether a version can be evaluated on a data set: same attributes, and a test split."""
    values = {name: counts.values for name, counts in data.summary.attributes.items()}
    with suppress(ProdgenError):
        check_attributes(AttributeSchema(attributes=one.attributes), values, data.summary.colours)
        return TEST_SPLIT in data.summary.images and one.family != STUDIO
    return False


def _sample(deployment: Deployment, one: ModelView, tenant: str) -> str | None:
    """Return a link to a picture with images of a version, or None if the version has no such picture."""
    store = deployment.store
    prefix = folder(one.name, one.version, None if one.owned_by == "shared" else tenant)
    for name in PICTURES:
        with suppress(NotFound):
            store.stat(f"{prefix}/{name}")
            return store.link(f"{prefix}/{name}", deployment.settings.link_seconds, name)
    return None
