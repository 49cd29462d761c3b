"""Connect a process to the ledger that the settings name."""

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from prodgen.ledger.ledger import Ledger
from prodgen.settings import Settings


def connect_ledger(settings: Settings, *, fail_fast: bool = False) -> Ledger:
    """Return the ledger in the Redis of the settings. Sends nothing to Redis yet.

    A call without an answer is repeated on a new connection, because the network may have dropped the old
    connection without notice. With ``fail_fast``, for the gateway, whose clients wait, a call is tried twice,
    for 3 seconds each. Without it, for workers, which lose images when they give up, a call is tried four
    times, for 10 seconds each. redis-py also repeats the check of an idle connection, so if the network drops
    all packets, a call with ``fail_fast`` may fail only after 15 seconds.
    """
    client = redis.Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=3 if fail_fast else 10,
        socket_connect_timeout=3,
        socket_keepalive=True,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 1 if fail_fast else 3),
    )
    return Ledger(client, settings.lease_seconds)
