"""The models that a caller may order from."""

from contextlib import suppress
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from api_gateway.auth import Anyone
from api_gateway.services import Services, services
from prodgen.errors import NotFound
from prodgen.registry import (
    AliasChange,
    Figure,
    Version,
    fid_figure,
    history,
    load_lineage,
    load_metrics,
    resolve,
    versions,
)
from prodgen.spec.attributes import Attribute
from prodgen.spec.lineage import Lineage

router = APIRouter(prefix="/v1/models", tags=["models"])

Here = Annotated[Services, Depends(services)]


class ModelView(BaseModel):
    """A version of a model. ``id`` can be ordered as it is; the first four fields are OpenAI's.

    ``size`` is the side of an image in pixels, ``tolerance`` the levels of 255 by which a remade may differ,
    ``figure`` what decides at a promotion.
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
    """With what was measured, where it comes from, and the moves of the model's aliases, newest first."""

    metrics: dict[str, Any] | None
    lineage: Lineage | None
    card: str | None
    history: list[AliasChange]


class ModelList(BaseModel):
    """All of them."""

    object: Literal["list"] = "list"
    data: list[ModelView]
    next: None = None


@router.get("", summary="List models")
def index(caller: Anyone, here: Here) -> ModelList:
    """Every version that you may use. What a bare name means is listed under the bare name."""
    taken: set[str] = set()
    views = []
    for version in versions(here.store, caller.tenant):
        bare = "production" in version.aliases and version.name not in taken
        if bare:
            taken.add(version.name)
        metrics = load_metrics(here.store, version.prefix)
        views.append(ModelView(**_fields(version, version.name if bare else version.id, metrics)))
    return ModelList(data=views)


@router.get("/{ref}", summary="Show a model")
def show(ref: str, caller: Anyone, here: Here) -> ModelDetails:
    """One model: `name`, `name@alias` or `name@version`."""
    version = resolve(here.store, ref, caller.tenant)
    metrics = load_metrics(here.store, version.prefix)
    return ModelDetails(
        **_fields(version, ref, metrics),
        metrics=metrics,
        lineage=load_lineage(here.store, version.prefix),
        card=_card(here, version),
        history=history(here.store, version.name, version.owner)[::-1],
    )


def _card(here: Services, version: Version) -> str | None:
    with suppress(NotFound):
        return here.store.get(f"{version.prefix}/card.md").decode(errors="replace")
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
