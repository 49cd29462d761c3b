"""Connect a process to the ledger that the settings name."""

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from prodgen.ledger.ledger import Ledger
from prodgen.settings import Settings


def connect_ledger(settings: Settings, *, fail_fast: bool = False) -> Ledger:
    """Return the ledger in the Redis of the settings. Sends nothing to Redis yet.

    A call that gets no answer is repeated on a new connection, because a network may have dropped the old one
    and told nobody. With ``fail_fast``, a call is tried twice, for 3 seconds each: callers of the gateway
    wait. Without it, a call is tried four times, for 10 seconds each: a worker that gives up loses images.
    redis-py repeats the check of an idle connection, and each new connection, as often as the call: with
    ``fail_fast``, a call on an idle connection fails after 15 seconds if the network drops all packets.
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
