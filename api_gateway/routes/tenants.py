"""Tenants and API keys of the whole deployment, for keys with the scope `operate`. Each change is logged."""

import logging
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field

from api_gateway.auth import Operator
from api_gateway.deployment import DeploymentDep
from api_gateway.requests import AfterNumber, Limit, StrictRoute
from api_gateway.schemas import Page
from prodgen.access import BEYOND_ADMIN, ApiKey, Scope
from prodgen.ledger.locks import lock
from prodgen.spec.names import check_name
from prodgen.tenants import Grant, list_grants, set_grant

log = logging.getLogger("prodgen.operators")

router = APIRouter(prefix="/v1", tags=["tenants"], route_class=StrictRoute)

_BUSY = "another request changes a tenant; try again in a moment"


class TenantView(Grant, frozen=True):
    """A tenant: its weight and its limits. ``null`` is no limit, or the default."""

    object: Literal["tenant"] = "tenant"
    tenant: str

    @classmethod
    def of(cls, tenant: str, grant: Grant) -> "TenantView":
        """Return the view of a tenant with this grant."""
        return cls(tenant=tenant, **dict(grant))


class KeyRequest(BaseModel, extra="forbid", use_attribute_docstrings=True):
    """A wish for an API key."""

    tenant: str
    """The tenant whose data the key opens. A tenant exists as soon as it has a key."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)] = ("generate",)
    """The permissions of the key. Only `prodgen keys create` gives ``unmarked`` and ``operate``."""
    label: Annotated[str, Field(max_length=200)] = ""
    """A note about the key's purpose."""


class KeyView(BaseModel):
    """An API key, without its secret. ``revoked`` is the time at which the key stopped working."""

    object: Literal["key"] = "key"
    id: str
    tenant: str
    scopes: tuple[Scope, ...]
    label: str
    created: datetime
    revoked: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> "KeyView":
        """Return the view of a key."""
        return cls(**key.model_dump(exclude={"digest"}))


class NewKeyView(KeyView):
    """A new API key. ``key`` is its secret, which no other answer has."""

    key: str


@router.get("/tenants", summary="List all tenants")
def tenants(
    caller: Operator,
    deployment: DeploymentDep,
    limit: Limit = 100,
    after: Annotated[str, Query(max_length=128, description="The `next` of the page before.")] = "",
) -> Page[TenantView]:
    """List the tenants of the deployment by name, with their weights and limits."""
    known = (key.tenant for key in deployment.keys.list())
    grants = list_grants(deployment.store, known)
    names = [name for name in grants if name > after][: limit + 1]
    views = [TenantView.of(name, grants[name]) for name in names[:limit]]
    return Page(data=views, next=names[limit - 1] if len(names) > limit else None)


@router.get("/tenants/{tenant}", summary="Show a tenant")
def tenant(tenant: str, caller: Operator, deployment: DeploymentDep) -> TenantView:
    """Show a tenant's weight and limits. A tenant that is not known yet has the defaults."""
    return TenantView.of(check_name(tenant, "tenant"), list_grants(deployment.store, [tenant])[tenant])


@router.patch("/tenants/{tenant}", summary="Set what a tenant may use")
def change(tenant: str, body: Grant, caller: Operator, deployment: DeploymentDep) -> TenantView:
    """Set the fields of the body for the tenant's next requests; others stay. `null` takes a limit away."""
    check_name(tenant, "tenant")
    changes = body.model_dump(exclude_unset=True)
    if not changes:
        raise HTTPException(400, "nothing to set; name a field, such as weight")
    with lock(deployment.ledger, "tenants", _BUSY):  # all tenants are in one file
        grant = set_grant(deployment.store, tenant, **changes)
    log.info("key %s set %s of tenant %s", caller.id, changes, tenant)
    return TenantView.of(tenant, grant)


@router.get("/keys", summary="List API keys")
def keys(
    caller: Operator,
    deployment: DeploymentDep,
    tenant: Annotated[str | None, Query(description="List only keys of this tenant.")] = None,
    limit: Limit = 100,
    after: AfterNumber = -1,
) -> Page[KeyView]:
    """List the keys of all tenants, oldest first, revoked ones too. Nobody can see a key's secret again."""
    found = [key for key in deployment.keys.list() if tenant in (None, key.tenant)]
    views = [KeyView.of(key) for key in found[after + 1 : after + 1 + limit]]
    last = after + len(views)
    return Page(data=views, next=str(last) if last + 1 < len(found) and views else None)


@router.post("/keys", status_code=201, summary="Create an API key")
def create(body: KeyRequest, caller: Operator, deployment: DeploymentDep) -> NewKeyView:
    """Create a key and show its secret, this once.

    To rotate a key, create the new one, hand it out, then revoke the old one.
    """
    check_name(body.tenant, "tenant")
    if withheld := next((scope for scope in body.scopes if scope in BEYOND_ADMIN), None):
        raise HTTPException(403, f"a key with the scope {withheld} is made by `prodgen keys create` only")
    secret, key = deployment.keys.create(body.tenant, body.scopes, body.label)
    log.info(
        "key %s created key %s of tenant %s for %s", caller.id, key.id, key.tenant, ", ".join(key.scopes)
    )
    return NewKeyView(key=secret, **dict(KeyView.of(key)))


@router.post("/keys/{key}/revoke", summary="Revoke an API key")
def revoke(key: str, caller: Operator, deployment: DeploymentDep) -> KeyView:
    """Revoke a key for good. Other gateways refuse the key after a few seconds."""
    revoked = deployment.keys.revoke(key)
    log.info("key %s revoked key %s of tenant %s", caller.id, revoked.id, revoked.tenant)
    return KeyView.of(revoked)
