"""The gateway's connections to Redis on a network that drops connections and tells nobody."""

from concurrent.futures import ThreadPoolExecutor

from prodgen.connections import connect_ledger
from prodgen.settings import Settings
from tests.servers.proxy import Proxy
from tests.servers.valkey import ValkeyServer


def test_a_dropped_connection_costs_a_wait_and_no_failure(valkey_server: ValkeyServer) -> None:
    with Proxy(valkey_server.port) as proxy:
        url = valkey_server.url().replace(f":{valkey_server.port}/", f":{proxy.port}/")
        client = connect_ledger(Settings(redis_url=url), fail_fast=True).client
        client.connection_pool.connection_kwargs["socket_timeout"] = 0.5
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(lambda _: client.ping(), range(8)))

        proxy.half_open()

        assert client.ping()
        assert proxy.silenced
        client.close()
