"""A request to the engine, and the ticket that its caller holds."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from prodgen.models import SavedModel
from prodgen.spec.finish import Finish
from prodgen.spec.image import ImageRequest

NO_FINISH = Finish()

AHEAD = 1 << 26
"""Pixels that are made of a request before its caller has taken the files."""


@dataclass(frozen=True)
class Request:
    """Images of one model and one finish; a higher ``priority`` goes first at the next batch."""

    model: SavedModel
    images: Sequence[ImageRequest]
    truncation: float = 1.0
    finish: Finish = NO_FINISH
    format: str = "png"
    priority: int = 0

    @property
    def pixels(self) -> int:
        """Pixels of one image."""
        return (self.finish.size or self.model.config.size) ** 2


class Cancelled(Exception):
    """The request was cancelled before all of its images were made."""


class Ticket:
    """A submitted request. Iterate it, once: it gives each image's file, in order, as it is made.

    Whoever stops iterating before the end cancels it. ``woken`` is told whenever files were taken, since the
    engine makes only so many ahead of its caller.
    """

    def __init__(self, request: Request, woken: Callable[[], None]) -> None:
        self.request = request
        self._woken = woken
        self._chunks: deque[Future[list[bytes]]] = deque()
        self._begun = 0
        self._given = 0
        self._cancelled = False
        self._changed = threading.Condition()
        self._ahead = max(1, AHEAD // request.pixels)

    def cancel(self) -> None:
        """Make no more of it; whoever iterates gets `Cancelled`."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[bytes]:
        try:
            while self._given < len(self.request.images):
                yield from self._next()
        finally:
            if self._given < len(self.request.images):
                self.cancel()

    def _next(self) -> list[bytes]:
        with self._changed:
            self._changed.wait_for(lambda: self._chunks or self._cancelled)
            if not self._chunks:
                raise Cancelled
            chunk = self._chunks.popleft()
        files = chunk.result()
        self._given += len(files)
        self._woken()
        return files

    # What follows is the engine's side, on its device thread.

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._cancelled

    @property
    def wanted(self) -> bool:
        """Whether there is more to begin, and somebody to make it for."""
        return not self._cancelled and self._begun < len(self.request.images)

    def room(self) -> int:
        """Images that may be begun before the caller takes some."""
        return self._ahead - (self._begun - self._given)

    def begin(self, most: int) -> Sequence[ImageRequest]:
        """The next images, ``most`` of them or what is left."""
        run = self.request.images[self._begun : self._begun + most]
        self._begun += len(run)
        return run

    def add(self, chunk: "Future[list[bytes]]") -> None:
        """The files that come next, as they will be encoded."""
        with self._changed:
            self._chunks.append(chunk)
            self._changed.notify_all()

    def fail(self, error: Exception) -> None:
        """Make no more of it; whoever iterates gets ``error``."""
        failed: Future[list[bytes]] = Future()
        failed.set_exception(error)
        self.add(failed)
        self.cancel()
