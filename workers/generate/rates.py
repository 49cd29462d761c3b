"""Measures how many images of each model this worker makes in a second."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class RateMeter:
    """Counts the images of each model, and the time in which the worker held leases of the model.

    While the worker holds leases of several models, each model gets an equal part of the time. Threads may
    share one meter.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._leases: Counter[str] = Counter()
        self._images: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._at = clock()

    @contextmanager
    def making(self, model: str) -> Iterator[None]:
        """Count the time of the block as time in which the worker held a lease of ``model``."""
        self._change(model, 1)
        try:
            yield
        finally:
            self._change(model, -1)

    def made(self, model: str, images: int) -> None:
        """Add ``images`` finished images to the count of ``model``."""
        with self._lock:
            self._images[model] += images

    def take(self) -> dict[str, float]:
        """Return the rate (images a second) of each model since the last call, and count again from 0.

        Leaves out models of which no images were made.
        """
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
