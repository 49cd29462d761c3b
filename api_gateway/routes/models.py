"""The models that a caller may order from."""

import json
from contextlib import suppress
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from api_gateway.auth import Anyone
from api_gateway.services import Services, services
from prodgen.attributes import Attribute
from prodgen.errors import NotFound
from prodgen.registry import Version, resolve, versions

router = APIRouter(prefix="/v1/models", tags=["models"])

Here = Annotated[Services, Depends(services)]


class ModelView(BaseModel):
    """A version of a model. ``id`` can be ordered as it is; the first four fields are OpenAI's.

    ``size`` is the side of an image in pixels, ``tolerance`` the levels of 255 by which a remade may differ.
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


class ModelDetails(ModelView):
    """With what was measured, and the card that says how it was made."""

    metrics: dict[str, Any] | None
    card: str | None


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
        views.append(ModelView(**_fields(version, version.name if bare else version.ref)))
    return ModelList(data=views)


@router.get("/{ref}", summary="Show a model")
def show(ref: str, caller: Anyone, here: Here) -> ModelDetails:
    """One model: `name`, `name@alias` or `name@version`."""
    version = resolve(here.store, ref, caller.tenant)
    metrics, card = _read(here, version, "metrics.json"), _read(here, version, "card.md")
    return ModelDetails(
        **_fields(version, ref),
        metrics=json.loads(metrics) if metrics else None,
        card=card.decode(errors="replace") if card else None,
    )


def _read(here: Services, version: Version, file: str) -> bytes | None:
    with suppress(NotFound):
        return here.store.get(f"{version.prefix}/{file}")
    return None


def _fields(version: Version, id: str) -> dict[str, Any]:
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
    }
