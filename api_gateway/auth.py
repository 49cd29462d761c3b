"""Authenticate requests by API key, and authorize them by the scopes of the key.

A program sends its key with each request. A browser sends the cookie of its session, which names the key. A
request of a browser that changes something also sends a token, which only pages of the studio know.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api_gateway import sessions
from api_gateway.deployment import Deployment, DeploymentDep
from prodgen import logs
from prodgen.access import ApiKey, Scope, digest_of
from prodgen.errors import StoreUnavailable, TooManyRequests, Unavailable
from prodgen.tenants import recent_grant

_bearer = HTTPBearer(auto_error=False, description="An API key. `prodgen keys create` makes one.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
"""The text that a request sends as its API key; None if the request sends no key."""


INVALID_KEY = "this API key is not valid, or was revoked"
_SAFE = ("GET", "HEAD")


async def key_digest(request: Request, deployment: DeploymentDep, credentials: Credentials) -> str:
    """Return the digest of the API key that the request sends. Does not check that the key exists.

    Raises HTTPException 401 if the request has no well-formed key or session, and 403 for a wrong token.
    """
    if credentials:
        if digest := digest_of(credentials.credentials):
            return digest
        raise HTTPException(401, INVALID_KEY)
    cookie = request.cookies.get(sessions.COOKIE, "")
    secret = deployment.settings.secret_key.get_secret_value()
    if digest := sessions.key_digest(secret, cookie):
        if request.method not in _SAFE:
            sessions.check_token(secret, cookie, request.headers.get(sessions.TOKEN_HEADER, ""))
        return digest
    raise HTTPException(401, "this needs an API key, sent as 'Authorization: Bearer pg_…'")


KeyDigest = Annotated[str, Depends(key_digest)]


async def find_key(deployment: Deployment, digest: str) -> ApiKey | None:
    """Return the API key with this digest, or None if the key does not exist or is revoked."""
    keys = deployment.keys
    limiter = None if keys.knows(digest) else deployment.stranger_threads
    return await run_sync(keys.find, digest, limiter=limiter)


async def caller(request: Request, deployment: DeploymentDep, digest: KeyDigest) -> ApiKey:
    """Return the API key of the request, count the request, and add the tenant to its log lines.

    Raises HTTPException 401 for an unknown or revoked key, and TooManyRequests.
    """
    key = await find_key(deployment, digest)
    if key is None:
        if "Authorization" not in request.headers and deployment.keys.is_empty():
            raise StoreUnavailable("the object store has no API keys, but a browser has signed in by one")
        raise HTTPException(401, INVALID_KEY)
    logs.bind(tenant=key.tenant)
    request.state.caller = key
    await count_request(deployment, key.tenant)
    return key


async def count_request(deployment: Deployment, tenant: str) -> None:
    """Count a request of a tenant. Raises TooManyRequests above the tenant's limit of requests per second."""
    if per_second := recent_grant(deployment.store, tenant).requests_per_second:
        await run_sync(_count_request, deployment, tenant, per_second)


def _count_request(deployment: Deployment, tenant: str, per_second: float) -> None:
    """Raise TooManyRequests above ``per_second`` requests. Allows all requests while Redis is unavailable."""
    with suppress(Unavailable):
        if wait := deployment.ledger.count_request(tenant, per_second):
            raise TooManyRequests(
                f"this tenant may send {per_second:g} requests a second; send this one again in {wait:.1f} s",
                param="requests_per_second",
                retry_after=wait,
            )


def allowed(*scopes: Scope) -> Callable[[ApiKey], Awaitable[ApiKey]]:
    """Return a FastAPI dependency that gives the API key of the request.

    The dependency raises HTTPException 403 if the key has none of ``scopes``.
    """

    async def check(key: Annotated[ApiKey, Depends(caller)]) -> ApiKey:
        if not any(key.allows(scope) for scope in scopes):
            raise HTTPException(403, f"this needs an API key with the scope {' or '.join(scopes)}")
        return key

    return check


Anyone = Annotated[ApiKey, Depends(caller)]
"""The valid API key of the request, with any scope."""
Generator = Annotated[ApiKey, Depends(allowed("generate"))]
"""The key of the request, which may order images, and see orders and images."""
Trainer = Annotated[ApiKey, Depends(allowed("train"))]
"""The key of the request, which may upload data, and train and evaluate models with the data."""
Uploader = Annotated[ApiKey, Depends(allowed("generate", "train"))]
"""The key of the request, which may upload files."""
Administrator = Annotated[ApiKey, Depends(allowed("admin"))]
"""The key of the request, which may see and change the secrets of its tenant."""
Operator = Annotated[ApiKey, Depends(allowed("operate"))]
"""The key of the request, which may see and change the tenants and the keys of the deployment."""
Promoter = Annotated[ApiKey, Depends(allowed("promote"))]
"""The key of the request, which may move the aliases of models."""
