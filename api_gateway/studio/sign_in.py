"""Sign in by API key, sign out, and choose the language."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.params import Query
from fastapi.responses import RedirectResponse

from api_gateway import sessions
from api_gateway.auth import INVALID_KEY, find_key
from api_gateway.deployment import DeploymentDep
from api_gateway.studio import language
from api_gateway.studio.frame import PageRoute, local_address, render
from prodgen.access import digest_of

router = APIRouter(include_in_schema=False, route_class=PageRoute)

Next = Annotated[str, Query(alias="next")]
"""The path of the page that the browser shows next."""
YEAR = 365 * 24 * 3600


@router.get("/sign-in")
def show(request: Request, following: Next = "/") -> Response:
    """Ask for the API key."""
    return render(request, "sign_in.html", following=following, problem="")


@router.post("/sign-in")
async def sign_in(request: Request, deployment: DeploymentDep) -> Response:
    """Begin a session with the API key in the form. If the key is refused, show the reason."""
    # A page of another site must not sign people in under a key of its own.
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "the request comes from another site; sign in on this page")
    fields = await _form(request)
    digest = digest_of(fields.get("key", "").strip())
    if digest is None or await find_key(deployment, digest) is None:
        values = {"following": fields.get("next", "/"), "problem": INVALID_KEY}
        return render(request, "sign_in.html", HTTPStatus.UNAUTHORIZED, **values)
    response = RedirectResponse(local_address(fields.get("next", "/")), 303)
    settings = deployment.settings
    response.set_cookie(
        sessions.COOKIE,
        sessions.start(settings.secret_key.get_secret_value(), digest),
        max_age=sessions.SECONDS,
        httponly=True,
        samesite="lax",
        secure=settings.public_url.startswith("https:"),
    )
    return response


@router.post("/sign-out")
async def sign_out(request: Request, deployment: DeploymentDep) -> Response:
    """End the session of this browser."""
    cookie = request.cookies.get(sessions.COOKIE, "")
    secret = deployment.settings.secret_key.get_secret_value()
    sessions.check_token(secret, cookie, (await _form(request)).get(sessions.TOKEN_FIELD, ""))
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(sessions.COOKIE)
    return response


@router.get("/language/{code}")
def choose_language(code: str, following: Next = "/") -> Response:
    """Store the chosen language in a cookie, and redirect to the page ``following``."""
    response = RedirectResponse(local_address(following), 303)
    if code in language.NAMES:
        response.set_cookie(language.COOKIE, code, max_age=YEAR, httponly=True, samesite="lax")
    return response


async def _form(request: Request) -> dict[str, str]:
    """Return the text fields of the form in the request's body, by name."""
    return dict(parse_qsl((await request.body()).decode(errors="replace")))
