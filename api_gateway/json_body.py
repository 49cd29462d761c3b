"""Read JSON bodies strictly, so that each value that a route receives can be stored and sent back."""

import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.routing import APIRoute

MAX_DEPTH = 32
"""Objects and lists within each other."""
MAX_DIGITS = 100
"""Digits of a whole number. Products and sums of such numbers stay short enough for Python to print."""


def load_json(data: bytes) -> Any:
    """Return the value of a JSON text. Raises HTTPException with status 400 for a text that is not sound."""
    try:
        value = json.loads(data.decode(), parse_int=_whole_number, parse_constant=_refuse_constant)
        if b"\\u" in data:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        raise HTTPException(400, "the request is not UTF-8 text") from None
    except UnicodeEncodeError:
        raise HTTPException(400, "the request holds half of a surrogate pair, such as \\ud800") from None
    except RecursionError:
        raise _too_deep() from None
    level = _containers([value])
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _containers(outer)]
        if not level:
            return value
    raise _too_deep()


def _containers(value: dict[str, Any] | list[Any]) -> list[dict[str, Any] | list[Any]]:
    """Return the objects and lists directly within ``value``."""
    inside = value.values() if isinstance(value, dict) else value
    return [inner for inner in inside if isinstance(inner, dict | list)]


def _too_deep() -> HTTPException:
    return HTTPException(400, f"the request nests objects and lists more than {MAX_DEPTH} deep")


def _whole_number(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise HTTPException(400, f"a whole number in the request has more than {MAX_DIGITS} digits")
    return int(text)


def _refuse_constant(name: str) -> NoReturn:
    raise HTTPException(400, f"{name} is not a number that JSON knows")


class _Request(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = load_json(await self.body())
        return self._json


class _Route(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(_Request(request.scope, request.receive))

        return handle_strictly


class Router(APIRouter):
    """A router whose routes read JSON bodies with `load_json`."""

    def __init__(self, prefix: str = "", tags: list[str] | None = None) -> None:
        super().__init__(prefix=prefix, tags=[*tags] if tags else None, route_class=_Route)
