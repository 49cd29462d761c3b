"""Headers and query parameters that several routes take."""

import re
import uuid
from typing import Annotated

from fastapi import Depends, Header, Query
from pydantic import AfterValidator

ID = re.compile(r"[0-9a-f]{24}")
"""The id of a job or a run."""


def _check_cursor(cursor: str) -> str:
    if not ID.fullmatch(cursor):
        raise ValueError("this is not a cursor; send the `next` of the page before")
    return cursor


Cursor = Annotated[
    Annotated[str, AfterValidator(_check_cursor)] | None, Query(description="The `next` of the page before.")
]


async def _idempotency_key(
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="The same key with the same body gives the same job or run.",
        ),
    ] = None,
) -> str:
    return idempotency_key or uuid.uuid4().hex


IdempotencyKey = Annotated[str, Depends(_idempotency_key)]
"""The `Idempotency-Key` of the request, or a random one."""
