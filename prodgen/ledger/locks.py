"""Locks that all processes of a deployment share."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from redis.exceptions import LockError, RedisError

from prodgen.errors import Unavailable
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.scripts import translated

_HELD_SECONDS = 120
_WAIT_SECONDS = 5
CHANGING = "another request changes this job; try again in a moment"
"""The error message while another request that changes the same job holds the lock."""
_REFUSAL = "another request with this idempotency key is in progress; try again in a moment"


@contextmanager
def lock(ledger: Ledger, what: str, refusal: str = _REFUSAL) -> Iterator[None]:
    """Hold the lock ``what`` until the end of the block. Waits at most five seconds for another holder.

    Raises Unavailable with the message ``refusal`` if another process holds the lock for longer.
    """
    with try_lock(ledger, what, _WAIT_SECONDS) as held:
        if not held:
            raise Unavailable(refusal)
        yield


@contextmanager
def try_lock(ledger: Ledger, what: str, wait: float = 0.0) -> Iterator[bool]:
    """Hold the lock ``what`` until the end of the block. Yields whether this process holds the lock.

    Waits at most ``wait`` seconds for another holder, then yields False. A lock ends two minutes after it was
    taken, or when Redis is wiped. A holder that takes longer may then no longer be the only one.
    """
    held = ledger.client.lock(f"{ledger.prefix}turn:{what}", timeout=_HELD_SECONDS, blocking_timeout=wait)
    try:
        acquired = held.acquire()
    except RedisError as error:
        raise translated(error) from error
    try:
        yield acquired
    finally:
        if acquired:
            with suppress(LockError, RedisError):  # the lock has expired, and another process may hold it
                held.release()
