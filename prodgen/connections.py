"""The ledger of a process, as its settings say."""

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from prodgen.jobs.ledger import Ledger
from prodgen.settings import Settings


def connect_ledger(settings: Settings) -> Ledger:
    """The ledger in the settings' Redis; nothing is sent until it is used."""
    client = redis.Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=10,
        socket_connect_timeout=3,
        socket_keepalive=True,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 3),
    )
    return Ledger(client, settings.lease_seconds)
