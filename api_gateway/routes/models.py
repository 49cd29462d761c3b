"""Models: list, show, download and remove versions, promote versions, and roll aliases back."""

import time
from contextlib import AbstractContextManager, suppress
from functools import lru_cache, partial
from typing import Any, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from api_gateway.auth import Anyone, Promoter
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.requests import StrictRoute
from api_gateway.schemas import Page, RemovalView
from prodgen.access import ApiKey
from prodgen.errors import Conflict, NotFound, ProdgenError
from prodgen.jobs.record import find_record as find_job
from prodgen.ledger.locks import lock
from prodgen.ledger.roster import Roster
from prodgen.registry import aliases
from prodgen.registry.aliases import AliasChange
from prodgen.registry.compare import Figure, fid_figure
from prodgen.registry.files import files
from prodgen.registry.remove import remove_version
from prodgen.registry.versions import Version, load_lineage, load_metrics, load_quality, resolve, versions
from prodgen.runs.files import find_record as find_run
from prodgen.spec.attributes import Attribute
from prodgen.spec.directions import Direction
from prodgen.spec.model_config import Lineage
from prodgen.spec.quality import QUALITY, Quality
from prodgen.storage.base import Store, exists

_load_metrics = lru_cache(1024)(load_metrics)  # the files of a version never change

router = APIRouter(prefix="/v1/models", tags=["models"], route_class=StrictRoute)


class ModelView(BaseModel):
    """A version of a model. An order may name ``id``. The first four fields are those of OpenAI's API.

    ``size`` is the side of an image in pixels. ``tolerance`` is the number of levels, of 255, by which an
    image that is made again may differ. ``figure`` is the score that promotions compare. ``quality`` is the
    threshold of the quality gate; null if the version has none.
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
    directions: tuple[Direction, ...] = Field(description="Further values of an image: steps from -3 to 3.")
    precision: str
    tolerance: int
    figure: Figure | None
    quality: Quality | None


class ModelDetails(ModelView):
    """A version with its metrics, its lineage, its card, and the model's alias changes, newest first."""

    metrics: dict[str, Any] | None
    lineage: Lineage | None
    card: str | None
    history: list[AliasChange]


class FileView(BaseModel):
    """A file of a version: its name, its size in bytes, and a link to it."""

    name: str
    size: int
    sha256: str
    url: str


class Promotion(BaseModel, extra="forbid"):
    """The version that the alias will mean: a version, or another alias of the version, such as `staging`."""

    version: str
    force: bool = Field(
        default=False, description="Promote the version even if it scores worse, or cannot be compared."
    )


class Rollback(BaseModel, extra="forbid"):
    """The version that the alias means now. A rollback that names it has no further effect if sent twice."""

    version: str


class AliasChangeView(AliasChange):
    """A change of an alias. ``replaced`` equals ``version`` if the alias already meant ``version``."""

    object: Literal["alias"] = "alias"
    name: str


@router.get("", summary="List models")
def index(caller: Anyone, deployment: DeploymentDep) -> Page[ModelView]:
    """List every version that you may use. The version that a bare name means has the bare name as `id`."""
    taken: set[str] = set()
    views = []
    for version in versions(deployment.store, caller.tenant):
        bare = "production" in version.aliases and version.name not in taken
        if bare:
            taken.add(version.name)
        metrics = _load_metrics(deployment.store, version.prefix)
        name = version.name if bare else version.id
        views.append(ModelView(**_fields(version, name, metrics), quality=_quality(deployment, version)))
    return Page(data=views)


@router.get("/{ref}", summary="Show a model")
def show(ref: str, caller: Anyone, deployment: DeploymentDep) -> ModelDetails:
    """Show one version: `name`, `name@alias` or `name@version`."""
    version = resolve(deployment.store, ref, caller.tenant)
    metrics = _load_metrics(deployment.store, version.prefix)
    return ModelDetails(
        **_fields(version, ref, metrics),
        quality=_quality(deployment, version),
        metrics=metrics,
        lineage=load_lineage(deployment.store, version.prefix),
        card=_card(deployment, version),
        history=aliases.history(deployment.store, version.name, version.owner)[::-1],
    )


@router.get("/{ref}/files", summary="List the files of a version")
def list_files(ref: str, caller: Anyone, deployment: DeploymentDep) -> Page[FileView]:
    """List the files of one version. Their links need no key and expire; a new list has new links.

    A version is the first 12 hex digits of the sha256 of config.json followed by the weights: model.onnx for
    the family `onnx`, else model.safetensors.
    """
    version, seconds = resolve(deployment.store, ref, caller.tenant), deployment.settings.link_seconds
    views = (
        FileView(
            name=file.name,
            size=file.size,
            sha256=file.sha256,
            url=deployment.store.link(file.key, seconds, file.name),
        )
        for file in files(deployment.store, version)
    )
    return Page(data=list(views))


@router.post("/{name}/aliases/{alias}", summary="Promote a version")
def promote(
    name: str, alias: str, wanted: Promotion, caller: Promoter, deployment: DeploymentDep
) -> AliasChangeView:
    """Make `name@alias` mean another version for new orders. Jobs keep the version that they began with.

    Answers 409 if the version has a greater Fréchet distance than the present one, or if the two distances
    were not measured by the same judge on the same data.
    """
    with _changing(deployment, caller, name):
        candidate = _own(deployment, caller, f"{name}@{wanted.version}")
        change = aliases.promote(deployment.store, candidate, alias, by=caller.id, force=wanted.force)
    return AliasChangeView(name=name, **change.model_dump())


@router.post("/{name}/aliases/{alias}/rollback", summary="Roll an alias back")
def rollback(
    name: str, alias: str, caller: Promoter, deployment: DeploymentDep, left: Rollback | None = None
) -> AliasChangeView:
    """Make `name@alias` mean its previous version. A second rollback goes back further; no rollback leads to
    a version that was rolled back."""
    with _changing(deployment, caller, name):
        _own(deployment, caller, f"{name}@{alias}")
        leaving = left.version if left else None
        change = aliases.rollback(deployment.store, name, alias, caller.tenant, by=caller.id, leaving=leaving)
    return AliasChangeView(name=name, **change.model_dump())


@router.delete("/{ref}", summary="Remove a version")
def remove(ref: str, caller: Promoter, deployment: DeploymentDep) -> RemovalView:
    """Remove the version `name@version` of your own model for good.

    Answers 409 while an alias means the version, an order or a run that has not ended needs it, or another
    version was trained from it. Images stay, but cannot be made again without the version. If the connection
    breaks during a removal, send the request again to complete the removal.
    """
    with _changing(deployment, caller, ref.partition("@")[0]):
        check = partial(_check_unneeded, deployment, caller.tenant)
        freed = remove_version(deployment.store, caller.tenant, ref, check)
    return RemovalView(removed=[ref], bytes=freed)


def _check_unneeded(deployment: Deployment, tenant: str, ref: str) -> None:
    """Raise Conflict if an order or a run that has not ended needs the version ``ref``."""
    store, ledger = deployment.store, deployment.ledger
    for job in ledger.unended(tenant):
        record = find_job(store, tenant, job)
        if record and record.model == ref:
            raise Conflict(f"job {job} needs {ref}; cancel it, or wait for its end", param="ref")
    for run in Roster(ledger).unended(tenant):
        found = find_run(store, tenant, run.id)
        if found and found.source == ref:
            raise Conflict(f"run {run.id} needs {ref}; cancel it, or wait for its end", param="ref")


def _changing(deployment: Deployment, caller: ApiKey, name: str) -> AbstractContextManager[None]:
    """Lock the aliases of a model within the block. Raises Unavailable if another request has the lock."""
    refusal = f"another request is changing an alias of {name}; try again in a moment"
    return lock(deployment.ledger, f"aliases:{caller.tenant}:{name}", refusal)


def _own(deployment: Deployment, caller: ApiKey, ref: str) -> Version:
    """Return the version ``ref``. Raises HTTPException 403 if all tenants share the version."""
    version = resolve(deployment.store, ref, caller.tenant)
    if version.owner != caller.tenant:
        raise HTTPException(
            403, f"{ref} is shared by all tenants; aliases of shared models cannot be changed over HTTP"
        )
    return version


def _card(deployment: Deployment, version: Version) -> str | None:
    with suppress(NotFound):
        return deployment.store.get(f"{version.prefix}/card.md").decode(errors="replace")
    return None


def _quality(deployment: Deployment, version: Version) -> Quality | None:
    """Return the threshold of a version's quality gate, or None if the version has no threshold.

    The answer None is cached for a minute, so a new threshold is seen within a minute.
    """
    with suppress(ProdgenError):
        if _has_quality(deployment.store, version.prefix, int(time.monotonic()) // 60):
            return load_quality(deployment.store, version)
    return None


@lru_cache(1024)  # lists need no read of the store for the versions without a threshold
def _has_quality(store: Store, prefix: str, _minute: int) -> bool:
    return exists(store, f"{prefix}/{QUALITY}")


def _fields(version: Version, id: str, metrics: dict[str, Any] | None) -> dict[str, Any]:
    """Return the fields of the `ModelView` of a version, by name. ``metrics``: the version's metrics."""
    config, created = version.config, int(version.created.timestamp())
    fields: dict[str, Any] = {"id": id, "created": created, "owned_by": version.owner or "shared"}
    fields |= {name: getattr(version, name) for name in ("name", "version", "aliases")}
    fields |= {
        name: getattr(config, name) for name in ("family", "size", "channels", "precision", "tolerance")
    }
    return fields | {
        "attributes": config.attributes.attributes,
        "directions": config.attributes.directions,
        "figure": fid_figure(metrics),
    }
