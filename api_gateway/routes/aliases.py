"""Moving the aliases of a caller's own models: promotion and roll back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from api_gateway.auth import Promoter
from api_gateway.errors import Forbidden
from api_gateway.services import Services, services
from prodgen.access import ApiKey
from prodgen.ledger.locks import lock
from prodgen.registry import AliasChange, Version, promote, resolve, rollback

router = APIRouter(prefix="/v1/models", tags=["models"])

Here = Annotated[Services, Depends(services)]


class Promotion(BaseModel):
    """Which version an alias is to mean: a version, or an alias of it such as `staging`."""

    model_config = ConfigDict(extra="forbid")

    version: str
    force: bool = Field(default=False, description="Even if it scores worse, or cannot be compared.")


class Rollback(BaseModel):
    """The version to leave. With it, a request that is sent twice goes back by one version."""

    model_config = ConfigDict(extra="forbid")

    version: str


class Moved(AliasChange):
    """The move that was made; if the version was in place before, ``replaced`` is the same."""

    object: Literal["alias"] = "alias"
    name: str


@router.post("/{name}/aliases/{alias}", summary="Promote a version")
def move(name: str, alias: str, wanted: Promotion, caller: Promoter, here: Here) -> Moved:
    """Let `name@alias` mean another version for the orders that come; jobs keep the version they began with.

    Refused with 409 if the version's Fréchet distance is greater than that of the one in place, or if the two
    were not taken by the same judge on the same data.
    """
    with _moving(here, caller, name):
        candidate = _own(here, caller, f"{name}@{wanted.version}")
        made = promote(here.store, candidate, alias, by=caller.id, force=wanted.force)
    return Moved(name=name, **made.model_dump())


@router.post("/{name}/aliases/{alias}/rollback", summary="Roll an alias back")
def back(name: str, alias: str, caller: Promoter, here: Here, left: Rollback | None = None) -> Moved:
    """Let `name@alias` mean what it meant before. Asked again, it goes back further: no roll back ever leads
    to a version that was rolled back."""
    with _moving(here, caller, name):
        _own(here, caller, f"{name}@{alias}")
        leaving = left.version if left else None
        made = rollback(here.store, name, alias, caller.tenant, by=caller.id, leaving=leaving)
    return Moved(name=name, **made.model_dump())


@contextmanager
def _moving(here: Services, caller: ApiKey, name: str) -> Iterator[None]:
    """One at a time may move aliases of a model; the others wait, for five seconds at most."""
    taken = f"somebody else is just moving an alias of {name}; ask again in a moment"
    with lock(here.ledger, f"aliases:{caller.tenant}:{name}", taken):
        yield


def _own(here: Services, caller: ApiKey, ref: str) -> Version:
    """The version, which must be the caller's; raises Forbidden for a shared one."""
    version = resolve(here.store, ref, caller.tenant)
    if version.owner != caller.tenant:
        raise Forbidden(
            f"{ref} is shared by all tenants, and nobody moves the aliases of shared models over HTTP"
        )
    return version
