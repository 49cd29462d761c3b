"""Read requests: strict JSON bodies, and the headers and query parameters that several routes accept."""

import json
import math
import re
import uuid
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, NoReturn

from fastapi import Header, HTTPException, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import AfterValidator

ID = re.compile(r"[0-9a-f]{24}")
"""Matches the id of a job or a run."""
_CURSOR = re.compile(r"[0-9a-f]{24}(-\d{1,12}(\.\d{1,9})?)?", re.ASCII)
"""Matches a cursor: the last id of a page and, if items can be deleted, the item's creation time."""
MAX_DEPTH = 32
"""Largest depth of nested objects and lists in a JSON body."""
MAX_DIGITS = 100
"""Largest number of digits of a whole number. Python can print sums and products of such numbers."""


def load_json(data: bytes) -> Any:
    """Parse a JSON text in UTF-8 and return its value.

    Raises HTTPException 400 for a malformed text, NaN or infinity, too long a number or too deep a nesting.
    """
    try:
        text = data.decode()
        value = json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_refuse_constant)
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
    """Return the objects and lists that are direct members of ``value``."""
    inside = value.values() if isinstance(value, dict) else value
    return [inner for inner in inside if isinstance(inner, dict | list)]


def _too_deep() -> HTTPException:
    return HTTPException(400, f"the request nests objects and lists more than {MAX_DEPTH} deep")


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise HTTPException(400, f"a whole number in the request has more than {MAX_DIGITS} digits")
    return int(text)


def _float(text: str) -> float:
    if math.isinf(number := float(text)):
        raise HTTPException(400, f"the number {text[:40]} in the request is too large")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise HTTPException(400, f"{name} is not a number that JSON knows")


class _Request(Request):
    async def json(self) -> Any:
        return load_json(await self.body())


class StrictRoute(APIRoute):
    """A route that reads JSON bodies with `load_json`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(_Request(request.scope, request.receive))

        return handle_strictly


def _check_cursor(cursor: str) -> str:
    if not _CURSOR.fullmatch(cursor):
        raise ValueError("this is not a cursor; send the `next` of the page before")
    return cursor


Limit = Annotated[int, Query(ge=1, le=1000)]
"""Largest number of items on a page."""
AfterNumber = Annotated[int, Query(ge=-1, le=2**63 - 1, description="The `next` of the page before.")]
"""The number of the last item of the page before, in a list whose items are counted from 0."""
Cursor = Annotated[
    Annotated[str, AfterValidator(_check_cursor)] | None, Query(description="The `next` of the page before.")
]
IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        default_factory=lambda: uuid.uuid4().hex,
        min_length=1,
        max_length=200,
        description="The same key with the same body gives the same job or run. If missing, a random key.",
    ),
]
