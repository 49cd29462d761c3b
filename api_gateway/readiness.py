"""Whether the gateway can take orders now."""

import logging
import threading
import time

from redis.exceptions import RedisError

from prodgen.errors import ProdgenError, Unavailable
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.scripts import LedgerLost, translated
from prodgen.storage.base import Store

log = logging.getLogger("prodgen.gateway")

STORE_SECONDS = 5.0
"""How long the result of a write to the store is kept, because a write may be slow or cost money."""

_OBJECT = "system/gateway-ready"


class Readiness:
    """Checks that the ledger and the store accept writes. Threads may share it."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store, self._ledger = store, ledger
        self._probing = threading.Lock()
        self._probed, self._accepts_writes = float("-inf"), False

    def check(self) -> None:
        """Raise Unavailable unless an order could be taken. The message names no path and no endpoint."""
        if self._ledger.epoch() is None:
            raise LedgerLost
        self._write_to_ledger()
        with self._probing:
            if time.monotonic() - self._probed > STORE_SECONDS:
                self._accepts_writes = self._write_to_store()
                self._probed = time.monotonic()
        if not self._accepts_writes:
            raise Unavailable("the object store does not accept writes")

    def _write_to_ledger(self) -> None:
        try:
            self._ledger.client.set(f"{self._ledger.prefix}gateway-ready", 1, ex=60)
        except RedisError as error:
            plain = translated(error)
            if isinstance(plain, Unavailable):
                raise plain from error
            raise Unavailable("the job ledger (Redis) does not accept writes") from error

    def _write_to_store(self) -> bool:
        try:
            self._store.put(_OBJECT, b"")
        except ProdgenError as error:
            log.warning("the object store does not accept writes: %s", error)
            return False
        return True
