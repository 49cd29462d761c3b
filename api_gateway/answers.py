"""Wait for the images of an interactive order, and answer with them as OpenAI's Images API does."""

import base64
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio
from anyio.to_thread import run_sync
from fastapi import HTTPException, Request
from PIL import Image
from sse_starlette import EventSourceResponse, ServerSentEvent

from api_gateway.deployment import Deployment
from api_gateway.errors import error_type
from api_gateway.lookup import find_progress
from api_gateway.routes import jobs
from api_gateway.waiting import CLIENT_CLOSED, waiting
from prodgen.access import ApiKey
from prodgen.errors import ProdgenError, Unavailable
from prodgen.generation.encode import encode_image, on_white
from prodgen.jobs import delivery
from prodgen.jobs.record import JobRecord
from prodgen.ledger.entries import TERMINAL
from prodgen.spec.manifest import ManifestLine
from prodgen.storage.base import in_threads

Result = TypeVar("Result")

WAIT_SECONDS = 300.0
"""Seconds after which an unfinished order is cancelled. OpenAI's clients wait for 600 seconds."""
_NO_TOKENS = {
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "total_tokens": 0,
}


@dataclass(frozen=True)
class Answer:
    """How a client wants to receive the images of an order.

    ``json``: send each image as base64. ``url``: send a link to each image. ``format``: the file format.
    ``quality``: encode the order's PNG files again with this quality (0 to 100); None: send the files of the
    order. ``side``: the side of an image in pixels. ``transparent``: the background is transparent.
    """

    json: bool
    url: bool
    format: str
    quality: int | None
    side: int
    transparent: bool

    def fields(self) -> dict[str, str]:
        """Return the fields ``background``, ``output_format`` and ``size`` of the response."""
        return {
            "background": "transparent" if self.transparent else "opaque",
            "output_format": self.format,
            "size": f"{self.side}x{self.side}",
        }


class Order:
    """A placed order whose client waits for the images. The order is cancelled if the client disconnects."""

    def __init__(self, record: JobRecord, caller: ApiKey, deployment: Deployment, answer: Answer) -> None:
        self._record, self._caller, self._deployment, self._answer = record, caller, deployment, answer

    async def respond(self, request: Request) -> dict[str, Any]:
        """Wait for the images, then return the response body. Raises ProdgenError if an image is missing."""
        created = int(self._record.created.timestamp())
        return {"created": created, "data": await self._wait(request), **self._answer.fields()}

    def stream(self, prefix: str) -> EventSourceResponse:
        """Return a response that sends one event ``PREFIX.completed`` for each image.

        It sends no partial images, because a generator makes an image in one pass.
        """
        return EventSourceResponse(self._events(prefix), headers={"Cache-Control": "no-cache"}, sep="\n")

    async def _events(self, prefix: str) -> AsyncIterator[ServerSentEvent]:
        try:
            images = await self._wait(None)
        except ProdgenError as error:
            body = {"message": error.for_clients, "type": error_type(error.code), "code": error.code}
            yield ServerSentEvent(
                json.dumps({"error": {**body, "param": error.param}}), event="error", sep="\n"
            )
            return
        created = int(self._record.created.timestamp())
        for image in images:
            name = f"{prefix}.completed"
            fields = {"type": name, "created_at": created, "quality": "auto", "usage": _NO_TOKENS}
            yield ServerSentEvent(
                json.dumps({**fields, **self._answer.fields(), **image}), event=name, sep="\n"
            )

    async def _wait(self, request: Request | None) -> list[dict[str, str]]:
        """Wait until the images are made, and return them in the form of OpenAI's Images API.

        Cancels the order on an error, after `WAIT_SECONDS`, or if the client of ``request`` disconnects.
        """
        try:
            await self._until_made(request)
        except BaseException:
            with anyio.CancelScope(shield=True), suppress(ProdgenError):
                await self._in_thread(self._cancel)
            raise
        return await run_sync(self._images)

    async def _until_made(self, request: Request | None) -> None:
        deadline = anyio.current_time() + WAIT_SECONDS
        with waiting(self._deployment.changes, f"job:{self._record.id}:events", request) as wait:
            while not await self._in_thread(self._is_made):
                if wait.gone:
                    raise HTTPException(CLIENT_CLOSED, "the client has gone, and its order is cancelled")
                if anyio.current_time() > deadline:
                    raise Unavailable("no worker has made the images in time, and the order is cancelled")
                await wait.change()

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await run_sync(work, limiter=self._deployment.event_threads)

    def _is_made(self) -> bool:
        """Return whether the order has ended. Raises ProdgenError if it has ended without all images."""
        progress = find_progress(self._deployment, self._record.tenant, self._record.id)
        if progress.state in TERMINAL and progress.state != "succeeded":
            reason = progress.error or f"{progress.done} of {progress.total} images could be made"
            raise ProdgenError(f"the order is {progress.state}: {reason}")
        return progress.state in TERMINAL

    def _cancel(self) -> None:
        jobs.cancel(self._record.id, self._caller, self._deployment)

    def _images(self) -> list[dict[str, str]]:
        lines, _ = delivery.page(self._deployment.store, self._record, limit=self._record.total)
        return list(in_threads(self._image, lines))

    def _image(self, line: ManifestLine) -> dict[str, str]:
        image = {}
        if self._answer.json:
            data = delivery.read_image(self._deployment.store, line)
            if self._answer.quality is not None:
                data = _encoded_again(data, self._answer.format, self._answer.quality)
            image["b64_json"] = base64.b64encode(data).decode()
        if self._answer.url:
            image["url"] = jobs.link(self._deployment, line)
        if self._record.reading:
            doubt = f"; look at this picture: {line.review}" if line.review else ""
            image["revised_prompt"] = self._record.reading.sentence + doubt
        return image


def _encoded_again(png: bytes, format: str, quality: int) -> bytes:
    """Convert a PNG file to JPEG or WebP with ``quality`` (0 to 100). Keeps the marks in the file."""
    with Image.open(io.BytesIO(png)) as image:
        marks = image.info.get("xmp", b"")
        flat = on_white(image) if format == "jpeg" and image.mode == "RGBA" else image
        return encode_image(flat, format, marks, quality=quality)
