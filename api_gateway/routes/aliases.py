"""The aliases of a tenant's own models: promote versions, and roll aliases back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from api_gateway.auth import Promoter
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.errors import Forbidden
from api_gateway.json_body import Router
from prodgen.access import ApiKey
from prodgen.ledger.locks import lock
from prodgen.registry import aliases
from prodgen.registry.aliases import AliasChange
from prodgen.registry.versions import Version, resolve

router = Router(prefix="/v1/models", tags=["models"])


class Promotion(BaseModel):
    """The version that an alias shall mean: a version, or an alias of it such as `staging`."""

    model_config = ConfigDict(extra="forbid")

    version: str
    force: bool = Field(
        default=False, description="Promote the version even if it scores worse, or cannot be compared."
    )


class Rollback(BaseModel):
    """The version to leave. With it, a request that is sent twice goes back by one version only."""

    model_config = ConfigDict(extra="forbid")

    version: str


class AliasChangeView(AliasChange):
    """A change of an alias. ``replaced`` equals ``version`` if the alias meant that version already."""

    object: Literal["alias"] = "alias"
    name: str


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


@contextmanager
def _changing(deployment: Deployment, caller: ApiKey, name: str) -> Iterator[None]:
    """Hold the right to change aliases of a model. Raises Unavailable if it stays taken."""
    refusal = f"another request is changing an alias of {name}; try again in a moment"
    with lock(deployment.ledger, f"aliases:{caller.tenant}:{name}", refusal):
        yield


def _own(deployment: Deployment, caller: ApiKey, ref: str) -> Version:
    """Return the version ``ref``. Raises Forbidden if it is shared instead of the caller's."""
    version = resolve(deployment.store, ref, caller.tenant)
    if version.owner != caller.tenant:
        raise Forbidden(
            f"{ref} is shared by all tenants; aliases of shared models cannot be changed over HTTP"
        )
    return version
