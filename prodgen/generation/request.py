"""A request to the engine, and the response that its caller iterates."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from prodgen.models import SavedModel
from prodgen.spec.finish import Finish
from prodgen.spec.image import ImageRequest

NO_FINISH = Finish()

MAX_AHEAD = 1 << 26
"""Pixels of one request that the engine makes before the caller has taken the files."""


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


class Response:
    """The files of a submitted request. Iterate it once: it gives each image's file, in order, as it is made.

    A caller that stops iterating before the end cancels the request. ``on_taken`` is called whenever the
    caller has taken files, because the engine makes only so many in advance.
    """

    def __init__(self, request: Request, on_taken: Callable[[], None]) -> None:
        self.request = request
        self._on_taken = on_taken
        self._chunks: deque[Future[list[bytes]]] = deque()
        self._begun = 0
        self._taken = 0
        self._cancelled = False
        self._changed = threading.Condition()
        self._max_ahead = max(1, MAX_AHEAD // request.pixels)

    def cancel(self) -> None:
        """Stop making images; iterating raises `Cancelled`."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[bytes]:
        try:
            while self._taken < len(self.request.images):
                yield from self._next_files()
        finally:
            if self._taken < len(self.request.images):
                self.cancel()

    def _next_files(self) -> list[bytes]:
        with self._changed:
            self._changed.wait_for(lambda: self._chunks or self._cancelled)
            if not self._chunks:
                raise Cancelled
            chunk = self._chunks.popleft()
        files = chunk.result()
        self._taken += len(files)
        self._on_taken()
        return files

    @property
    def complete(self) -> bool:
        """Whether the caller has taken every file."""
        return self._taken == len(self.request.images)

    # The engine's device thread calls the rest.

    @property
    def cancelled(self) -> bool:
        """Whether the request was cancelled."""
        return self._cancelled

    @property
    def has_more(self) -> bool:
        """Whether there are images that the engine has yet to begin."""
        return not self._cancelled and self._begun < len(self.request.images)

    def room(self) -> int:
        """Return how many images the engine may begin before the caller takes some."""
        return self._max_ahead - (self._begun - self._taken)

    def begin(self, count: int) -> Sequence[ImageRequest]:
        """Return the next images to make: ``count``, or as many as are left."""
        images = self.request.images[self._begun : self._begun + count]
        self._begun += len(images)
        return images

    def add(self, chunk: "Future[list[bytes]]") -> None:
        """Append the next files, which are still being encoded."""
        with self._changed:
            self._chunks.append(chunk)
            self._changed.notify_all()

    def fail(self, error: Exception) -> None:
        """Stop making images; iterating raises ``error``."""
        failed: Future[list[bytes]] = Future()
        failed.set_exception(error)
        self.add(failed)
        self.cancel()
