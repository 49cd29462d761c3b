"""The engine: callers submit requests from any thread, and one thread runs them in batches on the device."""

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor

from prodgen import traces
from prodgen.generation.encode import encode_all
from prodgen.generation.forward import Forward
from prodgen.generation.quality import pass_gate
from prodgen.generation.request import Request, Response, xmp_packets
from prodgen.generation.transfer import Arriving
from prodgen.models import SavedModel
from prodgen.models.saved import is_out_of_memory
from prodgen.spec.order import ImageRequest

ENCODERS = min(16, max(2, os.cpu_count() or 2))
"""Number of threads that encode image files."""
CHUNK_PIXELS = 1 << 20
"""Pixels in a chunk of images, which is finished at once and encoded by one thread. Limits memory use."""

SHARE = 5
"""One of every `SHARE` batches begins with a request of priority 0, if such a request waits."""

Part = tuple[Response, Sequence[ImageRequest]]
"""A response, and the images of its request that belong to one batch."""


def chunk_size(request: Request) -> int:
    """Return the number of images of a request in one chunk."""
    return max(1, CHUNK_PIXELS // request.pixels)


class Engine:
    """Generates the images of all threads' requests in batches on one device; encodes files on other threads.

    A batch holds queued images of one model, at most as many as `Forward.batch` returns. Requests of the
    highest priority come first, except in one of `SHARE` batches. Among requests of one priority, tenants
    take turns, and so do the requests of each tenant. The engine never waits for a batch to fill. Close the
    engine, or use it as a context manager.

    The engine calls ``observe(what, value)`` with measurements, from several threads: the seconds of the
    stages ``forward``, ``finish`` and ``encode``, and ``fill``, the images of a batch as a share of the
    model's batch size.
    """

    def __init__(
        self, device: str | None = None, observe: Callable[[str, float], None] = lambda what, value: None
    ) -> None:
        self._observe = observe
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.forward = Forward(self.device)
        self._queue: list[Response] = []  # the response that was served least recently comes first
        self._served: dict[str, int] = {}
        """For each tenant with queued requests: the number of `_turns` when it was last served."""
        self._turns = itertools.count(1)
        self._passed = 0
        """Number of batches since the last batch that began with a request of priority 0.

        Counts batches also while no request of priority 0 waits, so a pause between two leases of a bulk
        order does not delay the order.
        """
        self._changed = threading.Condition()
        self._closed = False
        self._batch_began, self._generating = 0.0, False
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
                self._queue.append(response)
                self._changed.notify()
        return response

    @property
    def batch_seconds(self) -> float:
        """Seconds since the last batch began, while the device works on it; 0 between batches."""
        return time.monotonic() - self._batch_began if self._generating or self.forward.busy else 0.0

    def close(self) -> None:
        """Generate all queued images, even if no caller takes their files, then stop the threads."""
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
            self._batch_began, self._generating = time.monotonic(), True
            first, *others = (response.traceparent for response, _ in batch)
            size = {"images": sum(len(part) for _, part in batch)}
            with traces.span("engine.batch", first, size, links=filter(None, others)):
                self._generate(batch)
            self._generating = False
            self.batches += 1

    def _next_batch(self) -> list[Part]:
        """Wait for the next batch and return it. Return [] if the engine is closed and its queue is empty."""
        with self._changed:
            while not (batch := self._collect()) and not (self._closed and not self._queue):
                self._changed.wait()
        return batch

    def _collect(self) -> list[Part]:
        self._queue = [response for response in self._queue if response.has_more]
        batch: list[Part] = []
        free = 1
        for response in self._by_turn():
            request = response.request
            room = len(request.images) if self._closed else response.room()
            if free <= 0 or room <= 0 or (batch and request.model is not batch[0][0].request.model):
                continue
            if not batch:
                free = self.forward.batch(request.model)
                self._passed = 0 if request.priority == 0 else self._passed + 1
            if request.finish.upscale:  # which takes far longer than the generator: other requests wait less
                room = min(room, chunk_size(request))
            images = response.begin(min(free, room))
            free -= len(images)
            batch.append((response, images))
            self._served[request.tenant] = next(self._turns)
        served = [response for response, _ in batch]
        self._queue = [response for response in self._queue if response not in served] + served
        return batch

    def _by_turn(self) -> list[Response]:
        """Return the queued responses, the next to serve first."""
        waiting = {response.request.tenant for response in self._queue}
        self._served = {tenant: turn for tenant, turn in self._served.items() if tenant in waiting}

        def turn(response: Response) -> tuple[bool, int, int]:
            request = response.request
            overdue = self._passed >= SHARE - 1 and request.priority == 0
            return not overdue, -request.priority, self._served.get(request.tenant, 0)

        return sorted(self._queue, key=turn)

    def _generate(self, batch: list[Part]) -> None:
        images = [image for _, part in batch for image in part]
        truncation = [response.request.truncation for response, part in batch for _ in part]
        model = batch[0][0].request.model
        self._observe("fill", len(images) / self.forward.batch(model))
        try:
            with self._timed("forward"):
                outputs = self._forward(model, images, truncation)
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
                self._finish(response, *self._pass_gate(response.request, part, x))
            except Exception as error:
                response.fail(error)

    def _pass_gate(
        self, request: Request, images: Sequence[ImageRequest], x: Tensor
    ) -> tuple[Sequence[ImageRequest], Tensor]:
        """Return the images and their pixels, each from the attempt that the quality gate chose.

        Without a quality gate, returns the images and pixels unchanged.
        """
        if request.quality is None:
            return images, x

        def make(tries: Sequence[ImageRequest]) -> Tensor:
            with self._timed("forward"):
                return self._forward(request.model, tries, [request.truncation] * len(tries))

        return pass_gate(request.model, request.quality, images, x, make)

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
        """Finish images ``x`` in chunks and queue them for the encoders. Wait while the queue is full."""
        request = response.request
        size = chunk_size(request)
        for start in range(0, len(images), size):
            if response.cancelled:
                return
            chunk = slice(start, start + size)
            with self._timed("finish"):
                pixels = self.forward.finish(request.model, x[chunk], request.opaque_finish, images[chunk])
            self._backlog.acquire()
            files = self._encoders.submit(self._encode, pixels, request, images[chunk])
            files.add_done_callback(lambda _: self._backlog.release())
            response.images += images[chunk]
            response.add(files)

    def _encode(self, arriving: Arriving, request: Request, images: Sequence[ImageRequest]) -> list[bytes]:
        pixels = arriving.numpy()
        with self._timed("encode"):
            return encode_all(pixels, request.format, [*xmp_packets(request, images)])

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._observe(stage, time.perf_counter() - start)
