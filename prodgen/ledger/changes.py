"""Listen to what the ledger announces: the names of jobs, runs and images at their changes."""

from collections.abc import Iterator

from redis.exceptions import RedisError

from prodgen.ledger.ledger import Ledger
from prodgen.ledger.scripts import text, translated


def changes(ledger: Ledger) -> Iterator[str | None]:
    """Yield the name of each job, run or image when it changes, such as ``job:ID:events``.

    Yields "" when changes may have been missed: at first, and after each lost connection. Yields None after a
    second without a change. Raises `prodgen.errors.Unavailable` if Redis does not answer.
    """
    with ledger.client.pubsub() as channel:  # type: ignore[no-untyped-call]
        try:
            channel.subscribe(f"{ledger.prefix}changed")
            while True:
                message = channel.get_message(timeout=1.0)
                if message is None or message["type"] == "message":
                    yield message and text(message["data"])
                else:
                    yield ""
        except RedisError as error:
            raise translated(error) from error
