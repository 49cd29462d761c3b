"""Render the pages of the studio: the frame, the HTTP headers, and the page that explains a failure."""

from collections.abc import Callable, Coroutine
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined

from api_gateway import errors, sessions
from api_gateway.deployment import Deployment
from api_gateway.requests import StrictRoute
from api_gateway.studio.language import CATALOGUES, NAMES, SENTENCES, language_of, translate
from prodgen.access import ApiKey, Scope
from prodgen.errors import ProdgenError, Unavailable
from prodgen.settings import Settings
from prodgen.spec.colour_words import product_colour
from prodgen.spec.validation_errors import explain_errors

PAGES: dict[str, tuple[str, tuple[Scope, ...]]] = {
    "/create": ("Create", ("generate",)),
    "/photographs": ("Photographs", ("generate",)),
    "/orders": ("Orders", ("generate",)),
    "/train": ("Train", ("train",)),
    "/models": ("Models", ("generate", "train", "promote")),
    "/observe": ("Observe", ("generate",)),
}
"""The pages in the navigation: the title of each, and the scopes. A key needs one of the scopes."""

_templates = Environment(
    loader=PackageLoader("api_gateway.studio"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["product_colour"] = product_colour


class Static(StaticFiles):
    """Serves scripts, styles and pictures of the pages. Browsers ask each time whether a file has changed."""

    def __init__(self) -> None:
        super().__init__(packages=[("api_gateway.studio", "static")])

    def file_response(self, *args: Any, **options: Any) -> Response:
        """Return the response with a file, with ``Cache-Control: no-cache``."""
        response = super().file_response(*args, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


class PageRoute(StrictRoute):
    """A route for browsers. It shows a failure as a page, and redirects to the sign-in without a session."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_page(request: Request) -> Response:
            try:
                return await handle(request)
            except HTTPException as error:
                if error.status_code == HTTPStatus.UNAUTHORIZED:
                    return RedirectResponse(f"/sign-in?{urlencode({'next': address(request)})}", 303)
                return failure(request, str(error.detail), error.status_code)
            except RequestValidationError as error:
                return failure(request, str(explain_errors(error.errors())), 400)
            except ProdgenError as error:
                if isinstance(error, Unavailable):
                    request.app.state.deployment.note_failure(error)
                return failure(request, error.for_clients, errors.STATUS.get(error.code, 400))

        return handle_page


def render(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return the page that a template makes. ``values``: variables of the template, without the frame's."""
    deployment: Deployment = request.app.state.deployment
    caller: ApiKey | None = getattr(request.state, "caller", None)
    language, cookie = language_of(request), request.cookies.get(sessions.COOKIE, "")
    secret = deployment.settings.secret_key.get_secret_value()
    frame = {
        "_": partial(translate, language),
        "language": language,
        "languages": NAMES,
        "catalogue": CATALOGUES[language],
        "sentences": [*SENTENCES[language].items()],  # a list, because Jinja sorts the keys of objects
        "static": "/studio/{}".format,
        "caller": caller,
        "csrf_token": sessions.token(secret, cookie) if caller else "",
        "here": address(request),
        "path": request.url.path,
        "pages": pages_of(caller) if caller else {},
    }
    text = _templates.get_template(template).render(**frame, **values)
    headers = {"Content-Security-Policy": _policy(deployment.settings), "Cache-Control": "no-store"}
    return HTMLResponse(text, status, headers)


def pages_of(caller: ApiKey) -> dict[str, str]:
    """Return the pages that a key may see: the title by the path."""
    return {path: title for path, (title, scopes) in PAGES.items() if any(map(caller.allows, scopes))}


def failure(request: Request, message: str, status: int) -> HTMLResponse:
    """Return a page that shows the error ``message``, with the HTTP status ``status``."""
    return render(request, "failure.html", status, message=message)


def address(request: Request) -> str:
    """Return the path of the request and, after ``?``, its query if there is one."""
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def local_address(wanted: str) -> str:
    """Return the URL ``wanted`` if it leads to this gateway; otherwise return ``/``."""
    try:
        parts = urlsplit(wanted)
    except ValueError:  # such as //[
        return "/"
    is_local = wanted.startswith("/") and not (parts.scheme or parts.netloc or "\\" in wanted)
    return wanted if is_local else "/"


def _policy(settings: Settings) -> str:
    """Return the Content-Security-Policy of all pages.

    Scripts and styles may come from the gateway only, pictures also from its store.
    """
    stores = [settings.public_url]
    if settings.store_url.startswith("s3:"):
        stores.append(settings.s3_public_endpoint or settings.s3_endpoint)
    origins = " ".join("{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in stores)
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; "
        f"img-src 'self' data: blob: {origins}; base-uri 'none'; frame-ancestors 'none'"
    )
