"""Authenticate requests by API key, and authorize them by the scopes of the key."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api_gateway.deployment import DeploymentDep
from prodgen import logs
from prodgen.access import ApiKey, Scope

_bearer = HTTPBearer(auto_error=False, description="An API key. `prodgen keys create` makes one.")


async def secret(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> str:
    """Return the secret of the request's API key, unchecked. Raises HTTPException 401 if there is none."""
    if credentials is None:
        raise HTTPException(401, "this needs an API key, sent as 'Authorization: Bearer pg_…'")
    return credentials.credentials


Secret = Annotated[str, Depends(secret)]


async def caller(deployment: DeploymentDep, secret: Secret) -> ApiKey:
    """Return the API key of the request, and bind its tenant to the logs. Raises HTTPException 401."""
    keys = deployment.keys
    limiter = None if keys.knows(secret) else deployment.stranger_threads
    key = await run_sync(keys.lookup, secret, limiter=limiter)
    if key is None:
        raise HTTPException(401, "this API key is not valid, or was revoked")
    logs.bind(tenant=key.tenant)
    return key


def allowed(*scopes: Scope) -> Callable[[ApiKey], Awaitable[ApiKey]]:
    """Return a dependency: the API key of the request. It raises 403 unless the key has one of ``scopes``."""

    async def check(key: Annotated[ApiKey, Depends(caller)]) -> ApiKey:
        if not any(key.allows(scope) for scope in scopes):
            raise HTTPException(403, f"this needs an API key with the scope {' or '.join(scopes)}")
        return key

    return check


Anyone = Annotated[ApiKey, Depends(caller)]
"""Any valid key."""
Generator = Annotated[ApiKey, Depends(allowed("generate"))]
"""A key that may order images, and see orders and images."""
Trainer = Annotated[ApiKey, Depends(allowed("train"))]
"""A key that may upload data, and train and evaluate models with the data."""
Uploader = Annotated[ApiKey, Depends(allowed("generate", "train"))]
"""A key that may upload files."""
Promoter = Annotated[ApiKey, Depends(allowed("promote"))]
"""A key that may move the aliases of models."""
