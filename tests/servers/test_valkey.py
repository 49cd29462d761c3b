"""The Valkey server that other tests build on keeps its promises."""

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.servers.valkey import ValkeyServer


def test_what_was_written_survives_kill_9(valkey_server: ValkeyServer) -> None:
    client = valkey_server.client(database=9)
    client.set("kept", "yes")

    with valkey_server.down():
        pass

    assert client.get("kept") == "yes"
    client.flushdb()


def test_nobody_reads_without_the_password(valkey_server: ValkeyServer) -> None:
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=valkey_server.port, retry=Retry(NoBackoff(), 0)).ping()
