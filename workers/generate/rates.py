"""Measures how many images of each model this worker makes in a second."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class RateMeter:
    """Counts the images of each model and the time in which the worker held leases of it.

    While leases of several models are held, the models share the time equally. Threads may share one meter.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._leases: Counter[str] = Counter()
        self._images: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._at = clock()

    @contextmanager
    def making(self, model: str) -> Iterator[None]:
        """Count the time until the end of the block as time of a lease of ``model``."""
        self._change(model, 1)
        try:
            yield
        finally:
            self._change(model, -1)

    def made(self, model: str, images: int) -> None:
        """Count images that were made and count."""
        with self._lock:
            self._images[model] += images

    def take(self) -> dict[str, float]:
        """Return the images a second of each model that was made since the last call, and start again."""
        with self._lock:
            self._advance()
            rates = {m: n / self._seconds.pop(m) for m, n in self._images.items() if self._seconds[m] > 0}
            self._images.clear()
        return rates

    def _change(self, model: str, leases: int) -> None:
        with self._lock:
            self._advance()
            self._leases[model] += leases
            self._leases = +self._leases

    def _advance(self) -> None:
        now = self._clock()
        for model in self._leases:
            self._seconds[model] += (now - self._at) / len(self._leases)
        self._at = now
