"""The engine: many callers submit requests, one thread owns the device and batches across them."""

import heapq
import itertools
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prodgen.generation.encode import encode
from prodgen.generation.forward import Forward
from prodgen.generation.ticket import Cancelled, Request, Ticket
from prodgen.spec.image import ImageRequest

__all__ = ["ENCODERS", "Cancelled", "Engine", "Request", "Ticket"]

ENCODERS = min(16, max(2, os.cpu_count() or 2))
"""Threads that turn pixels into files."""
PIECE = 1 << 20
"""Pixels that are finished at once, and encoded by one thread: what bounds memory whatever the size."""

Run = tuple[Ticket, Sequence[ImageRequest]]


class Engine:
    """Batches the requests of all threads on one device, and encodes beside it.

    A batch is whatever is queued for one model, the highest priority first and the least recently served
    among equals, up to the model's best batch; the engine never waits for more. Close it, or use it as a
    context manager.
    """

    def __init__(self, device: str | None = None) -> None:
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.forward = Forward(self.device)
        self._queue: list[tuple[int, int, Ticket]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._encoders = ThreadPoolExecutor(ENCODERS, "encode")
        self._backlog = threading.Semaphore(2 * ENCODERS)
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> Ticket:
        """Queue a request; never blocks."""
        ticket = Ticket(request, self._wake)
        if request.images:
            with self._changed:
                if self._closed:
                    raise RuntimeError("the engine is closed")
                heapq.heappush(self._queue, (-request.priority, next(self._order), ticket))
                self._changed.notify()
        return ticket

    def close(self) -> None:
        """Make what is queued, whether its caller takes it or not, then stop."""
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

    def _run(self) -> None:
        while batch := self._take():
            self._make(batch)

    def _take(self) -> list[Run]:
        """The next batch, as runs of images of a ticket each; waits for one. Empty when closed and done."""
        with self._changed:
            while not (batch := self._gather()) and not (self._closed and not self._queue):
                self._changed.wait()
        return batch

    def _gather(self) -> list[Run]:
        batch: list[Run] = []
        waiting = []
        free = 1
        while self._queue and free:
            priority, order, ticket = heapq.heappop(self._queue)
            if not ticket.wanted:
                continue
            model = ticket.request.model
            room = len(ticket.request.images) if self._closed else ticket.room()
            if room <= 0 or (batch and model is not batch[0][0].request.model):
                waiting.append((priority, order, ticket))
                continue
            if not batch:
                free = self.forward.batch(model)
            run = ticket.begin(min(free, room))
            free -= len(run)
            batch.append((ticket, run))
            if ticket.wanted:
                waiting.append((priority, next(self._order), ticket))
        for entry in waiting:
            heapq.heappush(self._queue, entry)
        return batch

    def _make(self, batch: list[Run]) -> None:
        images = [image for _, run in batch for image in run]
        truncation = [ticket.request.truncation for ticket, run in batch for _ in run]
        try:
            outputs = self.forward(batch[0][0].request.model, images, truncation)
        except Exception as error:  # must not end everybody's device thread
            if len(batch) == 1:
                batch[0][0].fail(error)
                return
            for alone in batch:  # nor be another caller's failure
                self._make([alone])
            return
        for (ticket, run), x in zip(batch, outputs.split([len(run) for _, run in batch]), strict=True):
            try:
                self._finish(ticket, run, x)
            except Exception as error:
                ticket.fail(error)

    def _finish(self, ticket: Ticket, run: Sequence[ImageRequest], x: Tensor) -> None:
        """From a run's generated images to its encoders, in pieces; waits while they are far behind."""
        request = ticket.request
        piece = max(1, PIECE // request.pixels)
        for start in range(0, len(run), piece):
            if ticket.cancelled:
                return
            part = slice(start, start + piece)
            pixels = self.forward.finish(request.model, x[part], request.finish, run[part])
            self._backlog.acquire()
            chunk = self._encoders.submit(_encode_all, pixels, request.format)
            chunk.add_done_callback(lambda _: self._backlog.release())
            ticket.add(chunk)


def _encode_all(pixels: NDArray[np.uint8], format: str) -> list[bytes]:
    return [encode(image, format) for image in pixels]
