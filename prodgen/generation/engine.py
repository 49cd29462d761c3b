"""The engine: callers submit requests from any thread, and one thread runs them in batches on the device."""

import heapq
import itertools
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prodgen.generation.encode import encode
from prodgen.generation.forward import Forward
from prodgen.generation.request import Cancelled, Request, Response
from prodgen.models import SavedModel
from prodgen.models.memory import is_out_of_memory
from prodgen.spec.order import ImageRequest

__all__ = ["ENCODERS", "Cancelled", "Engine", "Request", "Response"]

ENCODERS = min(16, max(2, os.cpu_count() or 2))
"""Number of threads that encode image files."""
CHUNK_PIXELS = 1 << 20
"""Pixels in a chunk of images, which is finished at once and encoded by one thread. Limits memory use."""

Part = tuple[Response, Sequence[ImageRequest]]
"""A response, and those images of its request that belong to one batch."""


class Engine:
    """Generates the images of all threads' requests in batches on one device; encodes files on other threads.

    A batch holds queued images of one model, at most as many as `Forward.batch` returns. Requests of the
    highest priority come first; among these, the request that was served least recently. The engine never
    waits for a batch to fill. Close the engine, or use it as a context manager.
    """

    def __init__(self, device: str | None = None) -> None:
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.forward = Forward(self.device)
        self._queue: list[tuple[int, int, Response]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._batch_began: float | None = None
        self.batches = 0
        """Batches made so far."""
        self._encoders = ThreadPoolExecutor(ENCODERS, "encode")
        self._backlog = threading.Semaphore(2 * ENCODERS)
        self._thread = threading.Thread(target=self._loop, name="device", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> Response:
        """Queue a request and return its response at once. Raises RuntimeError if the engine is closed."""
        response = Response(request, self._wake)
        if request.images:
            with self._changed:
                if self._closed:
                    raise RuntimeError("the engine is closed")
                heapq.heappush(self._queue, (-request.priority, next(self._order), response))
                self._changed.notify()
        return response

    @property
    def batch_seconds(self) -> float:
        """Seconds for which the device has worked on the current batch; 0 between batches."""
        began = self._batch_began
        return 0.0 if began is None else time.monotonic() - began

    def close(self) -> None:
        """Generate all queued images, even those that no caller takes, then stop the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()
        self._encoders.shutdown()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def _loop(self) -> None:
        while batch := self._next_batch():
            self._batch_began = time.monotonic()
            self._generate(batch)
            self._batch_began = None
            self.batches += 1

    def _next_batch(self) -> list[Part]:
        """Wait for the next batch and return it. Return [] if the engine is closed and its queue is empty."""
        with self._changed:
            while not (batch := self._collect()) and not (self._closed and not self._queue):
                self._changed.wait()
        return batch

    def _collect(self) -> list[Part]:
        batch: list[Part] = []
        waiting = []
        free = 1
        while self._queue and free:
            priority, order, response = heapq.heappop(self._queue)
            if not response.has_more:
                continue
            model = response.request.model
            room = len(response.request.images) if self._closed else response.room()
            if room <= 0 or (batch and model is not batch[0][0].request.model):
                waiting.append((priority, order, response))
                continue
            if not batch:
                free = self.forward.batch(model)
            images = response.begin(min(free, room))
            free -= len(images)
            batch.append((response, images))
            if response.has_more:
                waiting.append((priority, next(self._order), response))
        for entry in waiting:
            heapq.heappush(self._queue, entry)
        return batch

    def _generate(self, batch: list[Part]) -> None:
        images = [image for _, part in batch for image in part]
        truncation = [response.request.truncation for response, part in batch for _ in part]
        try:
            outputs = self._forward(batch[0][0].request.model, images, truncation)
        except Exception as error:  # an error must not end the device thread, which all callers share
            if len(batch) == 1:
                batch[0][0].fail(error)
                return
            for part in batch:  # retry each request alone, so that only the faulty one fails
                self._generate([part])
            return
        sizes = [len(part) for _, part in batch]
        for (response, part), x in zip(batch, outputs.split(sizes), strict=True):
            try:
                self._finish(response, part, x)
            except Exception as error:
                response.fail(error)

    def _forward(
        self, model: SavedModel, images: Sequence[ImageRequest], truncation: Sequence[float]
    ) -> Tensor:
        """Generate the images of a batch. Halve the batch if it does not fit into the device's memory."""
        try:
            return self.forward(model, images, truncation)
        except RuntimeError as error:
            if len(images) == 1 or not is_out_of_memory(error):
                raise
        torch.cuda.empty_cache()
        half = len(images) // 2
        parts = ((images[:half], truncation[:half]), (images[half:], truncation[half:]))
        return torch.cat([self._forward(model, *part) for part in parts])

    def _finish(self, response: Response, images: Sequence[ImageRequest], x: Tensor) -> None:
        """Finish images ``x`` in chunks and queue these for the encoders. Wait while too many are queued."""
        request = response.request
        size = max(1, CHUNK_PIXELS // request.pixels)
        for start in range(0, len(images), size):
            if response.cancelled:
                return
            chunk = slice(start, start + size)
            pixels = self.forward.finish(request.model, x[chunk], request.opaque_finish, images[chunk])
            self._backlog.acquire()
            files = self._encoders.submit(_encode_all, pixels, request.format)
            files.add_done_callback(lambda _: self._backlog.release())
            response.add(files)


def _encode_all(pixels: NDArray[np.uint8], format: str) -> list[bytes]:
    return [encode(image, format) for image in pixels]
