"""The simulated devices of `tests.bench.devices` send Redis what redis-py sends."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

from prodgen.ledger.entries import JobEntry
from prodgen.ledger.ledger import Ledger
from tests.bench.devices import CELLS, DOORBELL, lean_ledger, ring
from tests.bench.lean_redis import Hub
from tests.servers.valkey import quick_server


def test_a_simulated_device_sends_the_commands_of_a_real_worker(tmp_path: Path) -> None:
    with quick_server(tmp_path / "valkey") as server:
        plain, hub = Ledger(redis.Redis.from_url(server.url())), Hub()
        plain.open(plain.begin_recovery() or "")
        plain.submit(JobEntry("job", "shop", "bulk", 1_000_000, lease_cells=CELLS))
        lean = lean_ledger(server.url(), hub)

        def device() -> None:
            _work(lean)
            ring(lean.client)

        def simulate() -> None:
            hub.spawn(device)
            hub.run()

        def really() -> None:
            _work(plain)
            _doorbell(plain.client)

        really()  # loads the scripts
        simulated = _commands(server.url(), simulate)
        assert simulated == _commands(server.url(), really)
        assert sum(line.startswith("EVALSHA") for line in simulated) == 5


def _work(ledger: Ledger) -> None:
    lease = ledger.lease("bulk", "host-1-a", CELLS * 64)
    assert lease
    ledger.renew([lease.token])
    ledger.report_worker("host-1-a", {"model@1": 4096.0})
    assert ledger.complete(lease.token)
    ledger.epoch()
    assert ledger.progress(lease.job)


def _doorbell(client: redis.Redis) -> None:
    """Send and receive a doorbell with pipelines, as kombu does."""
    client.lpush("bulk", DOORBELL)
    client.rpop("bulk")
    with client.pipeline() as pipe:
        pipe.zadd("unacked_index", {"ab" * 16: 1.0})
        pipe.hset("unacked", "ab" * 16, DOORBELL)
        pipe.execute()
        pipe.zrem("unacked_index", "ab" * 16)
        pipe.hdel("unacked", "ab" * 16)
        pipe.execute()


def _commands(url: str, work: Callable[[], Any]) -> list[str]:
    """Return the commands that clients send while ``work`` runs, without values that differ by chance."""
    with redis.Redis.from_url(url).monitor() as monitor:  # type: ignore[no-untyped-call]
        work()
        redis.Redis.from_url(url).echo("end")
        lines = list[str]()
        for heard in monitor.listen():
            if heard["command"] == "ECHO end":
                return lines
            if heard["client_type"] != "lua" and not heard["command"].startswith(("HELLO", "AUTH", "CLIENT")):
                lines.append(re.sub(r"[0-9a-f]{16,}|\b\d+\.\d+\b", "…", heard["command"]))
    raise AssertionError("the monitor has ended")
