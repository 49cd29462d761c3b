"""One at a time, among all the gateways of a deployment."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from redis.exceptions import LockError, RedisError

from prodgen.errors import Unavailable
from prodgen.jobs.ledger import Ledger
from prodgen.jobs.scripts import translated

_HELD_SECONDS = 120
_WAIT_SECONDS = 5


@contextmanager
def turn(ledger: Ledger, job: str) -> Iterator[None]:
    """Hold the only right to submit ``job``; raises Unavailable while another holds it.

    A holder that dies blocks the others for at most two minutes.
    """
    name = f"{ledger.prefix}turn:{job}"
    lock = ledger.client.lock(name, timeout=_HELD_SECONDS, blocking_timeout=_WAIT_SECONDS)
    try:
        held = lock.acquire()
    except RedisError as error:
        raise translated(error) from error
    if not held:
        raise Unavailable("an order with this idempotency key is just being taken; ask again in a moment")
    try:
        yield
    finally:
        with suppress(LockError, RedisError):  # it has expired, and may be another's by now
            lock.release()
