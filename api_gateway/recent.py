"""Results that many requests share, such as the readiness of the gateway."""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

import anyio
from anyio.to_thread import run_sync

T = TypeVar("T")


class Recent(Generic[T]):
    """Keeps the result of the slow function ``compute``, and calls it again when the result is too old.

    ``compute`` runs in a thread of its own, so it takes no thread from other requests. All callers share the
    result. ``seconds(result)`` returns for how long a result may be used. ``compute`` must not raise.
    """

    def __init__(self, compute: Callable[[], T], seconds: Callable[[T], float]) -> None:
        self._compute, self._seconds = compute, seconds
        self._thread, self._lock = anyio.CapacityLimiter(1), anyio.Lock()
        self._computed: tuple[T, float] | None = None

    async def get(self) -> T:
        """Return the result. Waits if it must be computed first."""
        async with self._lock:
            if self._computed is None or time.monotonic() >= self._computed[1]:
                result = await run_sync(self._compute, limiter=self._thread)
                self._computed = result, time.monotonic() + self._seconds(result)
            return self._computed[0]
