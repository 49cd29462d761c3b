"""Who is asking, and whether they may."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api_gateway.errors import Forbidden, Unauthorized
from api_gateway.services import Services, services
from prodgen.access import ApiKey, Scope

_bearer = HTTPBearer(auto_error=False, description="An API key: `prodgen keys create`.")


def caller(
    request: Request,
    here: Annotated[Services, Depends(services)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> ApiKey:
    """The key that the request carries; raises Unauthorized."""
    if credentials is None:
        raise Unauthorized("this needs an API key, sent as 'Authorization: Bearer pg_…'")
    key = here.keys.lookup(credentials.credentials)
    if key is None:
        raise Unauthorized("this API key is not valid, or was revoked")
    request.scope["tenant"] = key.tenant
    return key


def allowed(*scopes: Scope) -> Callable[[ApiKey], Awaitable[ApiKey]]:
    """The caller, who must hold one of ``scopes``."""

    async def check(key: Annotated[ApiKey, Depends(caller)]) -> ApiKey:
        if not any(key.allows(scope) for scope in scopes):
            raise Forbidden(f"this needs an API key with the scope {' or '.join(scopes)}")
        return key

    return check


Anyone = Annotated[ApiKey, Depends(caller)]
"""Whoever has a key."""
Generator = Annotated[ApiKey, Depends(allowed("generate"))]
"""Who may order images, and see what was ordered."""
Trainer = Annotated[ApiKey, Depends(allowed("train"))]
"""Who may bring data and train on it."""
Uploader = Annotated[ApiKey, Depends(allowed("generate", "train"))]
"""Who may bring files."""
Promoter = Annotated[ApiKey, Depends(allowed("promote"))]
"""Who may move the aliases of models."""
