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
"""The refusal of a change of a job while another change of it holds the lock."""
_REFUSAL = "another request with this idempotency key is in progress; try again in a moment"


@contextmanager
def lock(ledger: Ledger, what: str, refusal: str = _REFUSAL) -> Iterator[None]:
    """Hold the lock ``what`` until the end of the block. Raises Unavailable(``refusal``) if it stays taken.

    The lock of a process that dies is free after two minutes. A holder that takes longer, or that lives
    through a wipe of Redis, may no longer be alone.
    """
    name = f"{ledger.prefix}turn:{what}"
    held = ledger.client.lock(name, timeout=_HELD_SECONDS, blocking_timeout=_WAIT_SECONDS)
    try:
        acquired = held.acquire()
    except RedisError as error:
        raise translated(error) from error
    if not acquired:
        raise Unavailable(refusal)
    try:
        yield
    finally:
        with suppress(LockError, RedisError):  # the lock has expired, and another process may hold it
            held.release()
