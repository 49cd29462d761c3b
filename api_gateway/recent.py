"""Results that many requests share, such as the readiness of the gateway."""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

import anyio
from anyio.to_thread import run_sync

T = TypeVar("T")


class Recent(Generic[T]):
    """The result of a slow function. A thread of its own computes it again when it has become too old.

    So the result needs no thread of other requests, and costs the same for any number of callers.
    ``seconds`` returns for how long a result may be used. The function must not raise.
    """

    def __init__(self, compute: Callable[[], T], seconds: Callable[[T], float]) -> None:
        self._compute, self._seconds = compute, seconds
        self._thread, self._lock = anyio.CapacityLimiter(1), anyio.Lock()
        self._computed: tuple[T, float] | None = None

    async def get(self) -> T:
        """Return the result. Waits while it is computed."""
        async with self._lock:
            if self._computed is None or time.monotonic() >= self._computed[1]:
                result = await run_sync(self._compute, limiter=self._thread)
                self._computed = result, time.monotonic() + self._seconds(result)
            return self._computed[0]
