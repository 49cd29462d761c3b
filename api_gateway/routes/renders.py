"""Images by address: the first request makes the image, and later requests get it from the store."""

import hashlib
import io
import re
import time
from collections.abc import Callable, Iterator
from functools import cache, lru_cache, partial
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, HTTPException, Path, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from api_gateway import ranges
from api_gateway.auth import Credentials, Generator, caller, count_request, key_digest
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.requests import StrictRoute
from api_gateway.waiting import CLIENT_CLOSED, waiting
from prodgen import logs
from prodgen.errors import ProdgenError, Unavailable
from prodgen.jobs.renders import ask, cache_key, read
from prodgen.ledger.renders import Asked, Renders
from prodgen.registry.versions import VERSION, Version, resolve
from prodgen.settings import Settings
from prodgen.spec.formula import SIGNED, Extension, Formula
from prodgen.spec.model_config import STUDIO
from prodgen.spec.provenance import read_provenance
from prodgen.spec.random_streams import MAX_SEED
from prodgen.spec.redrawing import Start, check_picture
from prodgen.storage.base import Store, exists, in_threads
from prodgen.storage.links import check_signature, sign_path

router = APIRouter(prefix="/v1/render", tags=["images"], route_class=StrictRoute)

WAIT_SECONDS = 60.0
"""Seconds after which a request for an image that is not made gets 503."""
CACHE_SECONDS = 31_536_000
"""Seconds for which browsers and proxies may keep an image: a year."""
REREAD_SECONDS = 60
"""Seconds after which a version is read again. Until then, a removed version may still make images."""
_ADDRESS = re.compile(r"/v1/render/([^/]{1,200})/(\d{1,16})/(\d{1,16})\.(png|webp|jpg|avif|gif)", re.ASCII)


class SignView(BaseModel, extra="forbid"):
    """Addresses to sign: each a path with its query, such as `/v1/render/clothing/7/12.webp?colour=red`."""

    addresses: list[str] = Field(min_length=1, max_length=1000)
    seconds: int | None = Field(default=None, ge=1, description="For how long they work; null: for ever.")
    begin: bool = Field(
        default=False, description="Have new images made now, at most 64, before they are asked for."
    )


class SignedView(BaseModel):
    """A signed URL for each address, in their order. Their models are versions, and so never change."""

    object: str = "list"
    data: list[str]


async def _tenant(request: Request, deployment: DeploymentDep, credentials: Credentials) -> str:
    """Return the tenant of the signature in the address or, without a signature, of the API key.

    Counts the request. Raises an error if the signature or the key is not valid.
    """
    if "signature" not in request.query_params:
        key = await caller(request, deployment, await key_digest(request, deployment, credentials))
        if not key.allows("generate"):
            raise HTTPException(403, "this needs an API key with the scope generate")
        return key.tenant
    secret = deployment.settings.secret_key.get_secret_value()
    check_signature(secret, request.url.path, dict(request.query_params))
    tenant = request.query_params["tenant"]
    logs.bind(tenant=tenant)
    await count_request(deployment, tenant)
    return tenant


Tenant = Annotated[str, Depends(_tenant)]
Number = Annotated[int, Path(ge=0, le=MAX_SEED)]


@router.head("/{model}/{seed}/{index}.{format}", include_in_schema=False)
@router.get(
    "/{model}/{seed}/{index}.{format}",
    summary="Get an image by its address",
    response_class=Response,
    responses={
        200: {"content": {f"image/{kind}": {} for kind in ("png", "webp", "jpeg", "avif", "gif")}},
        206: {"description": "The part of the image that `Range` names."},
        304: {"description": "The image is still that of `If-None-Match`."},
        307: {"description": "The address names no version of the model; `Location` has that of now."},
    },
)
async def render(
    model: str,
    seed: Number,
    index: Number,
    format: Extension,
    request: Request,
    tenant: Tenant,
    deployment: DeploymentDep,
) -> Response:
    """Send the image at `index` of an order with `seed`: from the store or, at first, when it is made.

    The query has attributes of the model (`category`, `colour`; those left out are drawn as in an order),
    `size`, `background`, `truncation` and `attempt`. `mix=SEED/INDEX` mixes another image in, with `mix.NAME`
    for its attributes that differ and `share` from 0 to 1; `steps` (2 to 32) in place of `share` sends all
    shares from 0 to 1, as a loop in WebP and GIF, else side by side. `picture=SHA256` names an upload from
    which the image starts: attributes in the query change by `strength` (0 to 1), those of the picture are
    read from it unless `picture.NAME` gives them. The header `Prodgen-Attributes` has all attributes of the
    image; of an image that starts from a picture, those that the model takes the picture for, and
    `Prodgen-Distance` and `Prodgen-Likeness` say how near the model draws it. `model` is NAME@VERSION; any
    other name redirects to the version of now. The address needs a key, or a signature (`POST /v1/render`).
    Requests for an image that is being made wait for that one image; an image whose clients have all gone is
    not begun. `Cache-Status` says whether the image was in the store. Answers 503 if the image is not made
    within a minute.
    """
    parameters = [pair for pair in request.query_params.multi_items() if pair[0] not in SIGNED]

    def look_up() -> tuple[Asked, bytes | None]:
        version = _version_of(deployment.store, tenant, model)
        asked = Asked(tenant, _formula(version, (seed, index, format), parameters))
        if asked.formula.model != model:
            return asked, None
        try:
            return asked, _find(deployment, asked)
        except Unavailable:  # a stored image needs no Redis
            if stored := read(deployment.store, asked):
                return asked, stored
            raise

    asked, found = await run_sync(look_up)
    formula = asked.formula
    if formula.model != model:
        return RedirectResponse(formula.path, headers={"Cache-Control": "no-cache"})
    data = found or await _wait(request, deployment, asked)
    request.app.state.metrics.renders.labels("hit" if found else "miss").inc()
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    status = "prodgen; hit" if found else "prodgen; fwd=miss; stored"  # RFC 9211
    headers = {"ETag": etag, "Cache-Control": _caching(request), "Cache-Status": status}
    if formula.picture:
        headers |= await run_sync(_found_headers, data)
    else:
        headers["Prodgen-Attributes"] = urlencode(formula.attributes)
    if etag in re.findall(r'"[^"]*"', request.headers.get("If-None-Match", "")):
        return Response(None, 304, headers)

    def piece(start: int, stop: int) -> Iterator[bytes]:
        yield data[start:stop]

    return ranges.send(request, len(data), piece, headers, f"image/{formula.format}")


@router.post("", summary="Sign addresses of images")
def sign(wish: SignView, caller: Generator, deployment: DeploymentDep) -> SignedView:
    """Return URLs that need no key, for pages. Each gives one image, and nothing else.

    With `begin`, workers make new images at once and together, which takes far less time than one by one.
    Without it, each image is made when it is first asked for.
    """
    version_of = cache(partial(_version_of, deployment.store, caller.tenant))
    formulas = [_read_address(version_of, address) for address in wish.addresses]
    if wish.begin:
        _begin(deployment, [Asked(caller.tenant, formula) for formula in formulas])
    return SignedView(
        data=[_signed(deployment.settings, caller.tenant, formula, wish.seconds) for formula in formulas]
    )


def _begin(deployment: Deployment, wanted: list[Asked]) -> None:
    """Have workers make the images that do not exist yet. Raises the errors of an order."""
    renders, store = Renders(deployment.ledger), deployment.store

    def is_new(asked: Asked) -> bool:
        return renders.look(asked) is None and not exists(store, cache_key(asked))

    entered = False
    try:
        for asked, new in zip(wanted, in_threads(is_new, wanted), strict=True):
            entered |= new and ask(store, renders, asked)
    finally:
        if entered:
            deployment.ring("interactive", 1)


def _find(deployment: Deployment, asked: Asked) -> bytes | None:
    """Return the file of an image. If it does not exist yet, has a worker make it, and returns None.

    Raises ProdgenError if the image cannot be made.
    """
    renders = Renders(deployment.ledger)
    if found := renders.look(asked):
        return None if found == "waiting" else found
    data = read(deployment.store, asked)
    if data is None and ask(deployment.store, renders, asked):
        deployment.ring("interactive", 1)
    return data


def _read_address(version_of: Callable[[str], Version], address: str) -> Formula:
    """Return the formula of an address. Raises ProdgenError if no image has it."""
    path, _, query = address.partition("#")[0].partition("?")
    found = _ADDRESS.fullmatch(path)
    if found is None:
        raise ProdgenError(
            f"{address[:200]!r} is no address of an image; write /v1/render/MODEL/SEED/INDEX.FORMAT?…",
            param="addresses",
        )
    model, seed, index, ending = found.groups()
    place: tuple[int, int, Extension] = (int(seed), int(index), ending)  # type: ignore[assignment]
    return _formula(version_of(model), place, parse_qsl(query))


def _signed(settings: Settings, tenant: str, formula: Formula, seconds: int | None) -> str:
    """Return the URL of an image, which works without a key for ``seconds``."""
    base, _, query = formula.path.partition("?")
    signed = {**dict(parse_qsl(query)), "tenant": tenant}
    if seconds is not None:
        signed["expires"] = str(int(time.time()) + seconds)
    signed["signature"] = sign_path(settings.secret_key.get_secret_value(), base, signed)
    return f"{settings.public_url.rstrip('/')}{base}?{urlencode(signed)}"


def _formula(
    version: Version, place: tuple[int, int, Extension], parameters: list[tuple[str, str]]
) -> Formula:
    """Return the formula of an image from the parts of its address.

    ``place``: seed, index and format. ``parameters``: the pairs of the query. Raises ProdgenError if the
    version cannot make the image.
    """
    formula = Formula.read(version.id, version.config.attributes, place, parameters)
    formula.check_pixels(version.config.side(formula.finish))
    if formula.picture:
        check_picture(version.id, version.config, formula.picture.attributes)
    return formula


def _found_headers(data: bytes) -> dict[str, str]:
    """Read from a redrawn image's file which attributes the original has, and how near the image comes to it.

    Returns the headers ``Prodgen-Attributes``, ``Prodgen-Distance``, and ``Prodgen-Likeness`` (the distance
    in words).
    """
    found = Start.model_validate((read_provenance(io.BytesIO(data)).recipe or {})["picture"])
    return {
        "Prodgen-Distance": str(found.distance),
        "Prodgen-Likeness": found.sentence,
        "Prodgen-Attributes": urlencode(found.attributes),
    }


def _version_of(store: Store, tenant: str, model: str) -> Version:
    """Return the version of the model in an image's address, such as ``clothing`` or ``clothing@staging``.

    Raises NotFound if there is none, and ProdgenError if the model makes pictures only of photographs.
    """
    if VERSION.fullmatch(model.partition("@")[2]):
        version = _version(store, model, tenant, int(time.time()) // REREAD_SECONDS)
    else:
        version = resolve(store, model, tenant)
    if version.config.family == STUDIO:
        raise ProdgenError(f"{model} makes pictures of photographs, which have no address", param="model")
    return version


@lru_cache(1024)
def _version(store: Store, model: str, tenant: str, period: int) -> Version:
    """Return a version, read once in each ``period`` (`REREAD_SECONDS`) and then kept in memory."""
    return resolve(store, model, tenant)


async def _wait(request: Request, deployment: Deployment, asked: Asked) -> bytes:
    """Return the file of an image when a worker has made it.

    Raises ProdgenError if the image cannot be made, or is not made within `WAIT_SECONDS`.
    """
    deadline, threads = anyio.current_time() + WAIT_SECONDS, deployment.event_threads
    with waiting(deployment.changes, asked.name, request) as wait:
        while (data := await run_sync(_find, deployment, asked, limiter=threads)) is None:
            if wait.gone:
                await run_sync(Renders(deployment.ledger).drop, asked, limiter=threads)
                raise HTTPException(CLIENT_CLOSED, "the client has gone")
            if anyio.current_time() > deadline:
                raise Unavailable("no worker has made the image in time; ask for it again")
            await wait.change()
    return data


def _caching(request: Request) -> str:
    """Return the Cache-Control of an image. Only browsers, not proxies, keep an image that needs a key."""
    if "signature" not in request.query_params:
        return f"private, max-age={CACHE_SECONDS}, immutable"
    expires = request.query_params.get("expires")
    left = CACHE_SECONDS if expires is None else min(CACHE_SECONDS, int(expires) - int(time.time()))
    return f"public, max-age={left}, immutable"
