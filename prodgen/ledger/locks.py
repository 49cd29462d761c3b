"""One at a time, among all the gateways of a deployment."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from redis.exceptions import LockError, RedisError

from prodgen.errors import Unavailable
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.scripts import translated

_HELD_SECONDS = 120
_WAIT_SECONDS = 5
_ORDER = "an order with this idempotency key is just being taken; ask again in a moment"


@contextmanager
def lock(ledger: Ledger, what: str, taken: str = _ORDER) -> Iterator[None]:
    """Hold the only right to ``what``, such as a job; raises Unavailable (``taken``) while another does.

    A holder that dies blocks the others for at most two minutes; one that takes longer, or outlives a wipe of
    the ledger, may no longer be alone.
    """
    name = f"{ledger.prefix}turn:{what}"
    held = ledger.client.lock(name, timeout=_HELD_SECONDS, blocking_timeout=_WAIT_SECONDS)
    try:
        acquired = held.acquire()
    except RedisError as error:
        raise translated(error) from error
    if not acquired:
        raise Unavailable(taken)
    try:
        yield
    finally:
        with suppress(LockError, RedisError):  # it has expired, and may be another's by now
            held.release()
