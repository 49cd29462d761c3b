"""Hears of changes in the ledger when they happen, and wakes those that wait for them in this process."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prodgen.errors import Unavailable
from prodgen.ledger.changes import changes
from prodgen.ledger.ledger import Ledger

log = logging.getLogger("prodgen.gateway")

LINGER_SECONDS = 60.0
"""Seconds for which the listener keeps its connection after the last watch has ended."""
RETRY_SECONDS = 1.0
"""Seconds until the listener connects again after Redis did not answer."""


class Changes:
    """Wakes the code that waits for a job, a run or an image. Only code in the event loop may use it.

    Nothing is woken while Redis does not answer. So code that waits must also look at the ledger from time to
    time. A thread listens, because redis-py blocks. It runs while there are watches, and some time longer.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._watches = dict[str, list[Callable[[], None]]]()
        self._listener: threading.Thread | None = None
        self._lock = threading.Lock()
        """Held to add a watch, and to end the listener because there is none."""

    @contextmanager
    def watch(self, name: str, wake: Callable[[], None]) -> Iterator[None]:
        """Call ``wake`` within the block at each change of ``name``, and when changes may have been missed.

        Names: `prodgen.ledger.ledger.Ledger.changed` and `prodgen.ledger.renders.Asked.name`.
        """
        with self._lock:
            watches = self._watches.setdefault(name, [])
            watches.append(wake)
            if self._listener is None or not self._listener.is_alive():
                loop = asyncio.get_running_loop()
                self._listener = threading.Thread(target=self._run, args=(loop,), name="changes", daemon=True)
                self._listener.start()
        try:
            yield
        finally:
            watches.remove(wake)
            if not watches:
                del self._watches[name]

    def _heard(self, name: str) -> None:
        lists = self._watches.values() if not name else [self._watches.get(name, [])]
        for wake in [wake for watches in lists for wake in watches]:
            wake()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while not loop.is_closed():
            try:
                self._listen(loop)
            except Unavailable as error:
                log.warning("changes are not heard: %s", error)
            except RuntimeError:  # the loop was closed meanwhile
                return
            with self._lock:
                if not self._watches:
                    self._listener = None
                    return
            time.sleep(RETRY_SECONDS)

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        used = time.monotonic()
        for name in changes(self._ledger):
            if name is not None:
                loop.call_soon_threadsafe(self._heard, name)
            if self._watches:
                used = time.monotonic()
            elif loop.is_closed() or time.monotonic() - used > LINGER_SECONDS:
                return
