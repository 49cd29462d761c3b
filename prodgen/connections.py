"""The ledger of a process, as its settings say."""

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from prodgen.ledger.ledger import Ledger
from prodgen.settings import Settings


def connect_ledger(settings: Settings, *, somebody_waits: bool = False) -> Ledger:
    """The ledger in the settings' Redis; nothing is sent until it is used.

    Where ``somebody_waits`` for the answer, a Redis that is silent is given up after four seconds. A worker,
    whose images would be lost with it, has four times ten.
    """
    passing = (redis.ConnectionError,) if somebody_waits else (redis.ConnectionError, redis.TimeoutError)
    client = redis.Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=4 if somebody_waits else 10,
        socket_connect_timeout=3,
        socket_keepalive=True,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 3, supported_errors=passing),
    )
    return Ledger(client, settings.lease_seconds)
