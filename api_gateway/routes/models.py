"""The model versions that a tenant may use."""

from contextlib import suppress
from typing import Any, Literal

from pydantic import BaseModel

from api_gateway.auth import Anyone
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.json_body import Router
from prodgen.errors import NotFound
from prodgen.registry.aliases import AliasChange, history
from prodgen.registry.compare import Figure, fid_figure
from prodgen.registry.versions import Version, load_lineage, load_metrics, resolve, versions
from prodgen.spec.attributes import Attribute
from prodgen.spec.model_config import Lineage

router = Router(prefix="/v1/models", tags=["models"])


class ModelView(BaseModel):
    """A version of a model. An order may name ``id``. The first four fields are those of OpenAI's API.

    ``size`` is the side of an image in pixels. ``tolerance`` is the number of levels, of 255, by which an
    image that is made again may differ. ``figure`` is the score that promotions compare.
    """

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    name: str
    version: str
    aliases: tuple[str, ...]
    family: str
    size: int
    channels: int
    attributes: tuple[Attribute, ...]
    precision: str
    tolerance: int
    figure: Figure | None


class ModelDetails(ModelView):
    """A version with its metrics, its lineage, its card, and the model's alias changes, newest first."""

    metrics: dict[str, Any] | None
    lineage: Lineage | None
    card: str | None
    history: list[AliasChange]


class ModelList(BaseModel):
    """Every version that the caller may use."""

    object: Literal["list"] = "list"
    data: list[ModelView]
    next: None = None


@router.get("", summary="List models")
def index(caller: Anyone, deployment: DeploymentDep) -> ModelList:
    """List every version that you may use. The version that a bare name means has the bare name as `id`."""
    taken: set[str] = set()
    views = []
    for version in versions(deployment.store, caller.tenant):
        bare = "production" in version.aliases and version.name not in taken
        if bare:
            taken.add(version.name)
        metrics = load_metrics(deployment.store, version.prefix)
        views.append(ModelView(**_fields(version, version.name if bare else version.id, metrics)))
    return ModelList(data=views)


@router.get("/{ref}", summary="Show a model")
def show(ref: str, caller: Anyone, deployment: DeploymentDep) -> ModelDetails:
    """Show one version: `name`, `name@alias` or `name@version`."""
    version = resolve(deployment.store, ref, caller.tenant)
    metrics = load_metrics(deployment.store, version.prefix)
    return ModelDetails(
        **_fields(version, ref, metrics),
        metrics=metrics,
        lineage=load_lineage(deployment.store, version.prefix),
        card=_card(deployment, version),
        history=history(deployment.store, version.name, version.owner)[::-1],
    )


def _card(deployment: Deployment, version: Version) -> str | None:
    with suppress(NotFound):
        return deployment.store.get(f"{version.prefix}/card.md").decode(errors="replace")
    return None


def _fields(version: Version, id: str, metrics: dict[str, Any] | None) -> dict[str, Any]:
    config = version.config
    return {
        "id": id,
        "created": int(version.created.timestamp()),
        "owned_by": version.owner or "shared",
        "name": version.name,
        "version": version.version,
        "aliases": version.aliases,
        "family": config.family,
        "size": config.size,
        "channels": config.channels,
        "attributes": config.attributes.attributes,
        "precision": config.precision,
        "tolerance": config.tolerance,
        "figure": fid_figure(metrics),
    }
