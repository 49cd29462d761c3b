"""How busy one Redis keeps many devices: ``python -m tests.bench.devices --devices 1000``.

Each device has a connection of its own. It takes a lease, works (sleeps) for a second, completes the lease,
reads the epoch and the job's progress, and takes the next one; it renews and reports as a worker does. For
each lease it also sends and receives a doorbell by the commands that Celery sends to Redis. A device here has
one lease at a time, so each wait for Redis is a time without work; a real worker has two leases, and works on
meanwhile. The devices run on the same cores as Redis. They use the ledger's own code, but many share a
thread (`lean_redis`), so that the bench measures Redis and the ledger's scripts, and not a thousand threads.
"""

import argparse
import os
import random
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

import redis

from prodgen.ledger.entries import JobEntry
from prodgen.ledger.ledger import Ledger
from tests.bench.lean_redis import Hub, LeanRedis
from tests.servers.process import wait_until
from tests.servers.valkey import ValkeyServer

WORK = 1.0
"""Seconds of work of a lease."""
CELLS = 64
"""Cells of a lease: 4,096 images."""
TENANTS = 10
IMAGES = 20_000_000
"""Images of each tenant's job, more than the devices can make in the time."""
STARTS = 5.0
"""Seconds within which the devices begin, each at a random time, and which are not measured."""
DOORBELL = b"x" * 900
PLAYERS = 2
"""Processes that the devices share."""


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="devices-") as name:
        server = ValkeyServer(Path(name) / "valkey")
        server.start()
        try:
            _measure(server, options.devices, options.seconds)
        finally:
            server.kill()


def _measure(server: ValkeyServer, devices: int, seconds: float) -> None:
    ledger, client = _ledger(server.url()), server.client()
    if recovery := ledger.begin_recovery():
        ledger.open(recovery)
    for n in range(TENANTS):
        ledger.submit(JobEntry(f"job-{n}", f"shop-{n}", "bulk", IMAGES, lease_cells=CELLS))
    share = devices // PLAYERS
    with ProcessPoolExecutor(PLAYERS, mp_context=get_context("spawn")) as pool:
        parts = [pool.submit(_devices, server.url(), n * share, share, seconds) for n in range(PLAYERS)]
        wait_until(lambda: _connected(client) > share * PLAYERS, "the devices do not connect", 600)
        begin = time.time() + 1.0
        client.set("begin", begin)
        time.sleep(max(0.0, begin + STARTS - time.time()))
        used = _cpu(client)
        time.sleep(seconds)
        used = (_cpu(client) - used) / seconds
        made = [part.result() for part in parts]
    waits, played = [wait for of_part, _ in made for wait in of_part], sum(cpu for _, cpu in made)
    leases = len(waits) / seconds
    busy = len(waits) * WORK / (share * PLAYERS * seconds)
    _, *_, late = quantiles(waits, n=20)
    print(
        f"{share * PLAYERS} devices, {leases:,.0f} leases a second: busy {busy:.1%}; between two leases half "
        f"wait {1000 * median(waits):.1f} ms, 95% at most {1000 * late:.1f} ms; Redis takes {used:.2f} of a "
        f"core, {1_000_000 * used / leases:,.0f} µs a lease; the devices take "
        f"{played / (STARTS + seconds):.2f} of a core; load {os.getloadavg()[0]:.1f}"
    )


def _ledger(url: str) -> Ledger:
    return Ledger(redis.Redis.from_url(url))


def _connected(client: redis.Redis) -> int:
    return int(client.info("clients")["connected_clients"])


def _cpu(client: redis.Redis) -> float:
    info = client.info("cpu")
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


def _devices(url: str, first: int, count: int, seconds: float) -> tuple[list[float], float]:
    """Run ``count`` devices once all are connected.

    Returns the waits of all leases in the measured time, and the seconds of CPU time since the begin.
    """
    waits, hub, starter = list[float](), Hub(), redis.Redis.from_url(url)
    ledgers = [lean_ledger(url, hub) for _ in range(count)]
    wait_until(lambda: bool(starter.exists("begin")), "the other devices do not connect", 600)
    begin = float(starter.get("begin") or 0)
    for n, ledger in enumerate(ledgers, first):
        name = f"host{n}-1-{n:06x}"
        hub.spawn(partial(_device, ledger, hub, name, begin, seconds, waits))
    before = _own_cpu()
    hub.run()
    return waits, _own_cpu() - before


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def lean_ledger(url: str, hub: Hub) -> Ledger:
    """Return a ledger with a connection of its own, for a greenlet of ``hub``."""
    client = LeanRedis.from_url(url)
    assert isinstance(client, LeanRedis)
    client.join(hub)
    return Ledger(client)


def _device(ledger: Ledger, hub: Hub, name: str, begin: float, seconds: float, waits: list[float]) -> None:
    chance = random.Random(name)
    start, end = begin + STARTS, begin + STARTS + seconds
    hub.sleep(max(0.0, begin + chance.uniform(0, STARTS - 2 * WORK) - time.time()))
    free = time.time()
    report = free + chance.uniform(0, ledger.lease_seconds / 4)
    while free < end:
        ring(ledger.client)
        lease = ledger.lease("bulk", name, CELLS * 64)
        assert lease
        if time.time() > report:
            ledger.renew([lease.token])
            ledger.report_worker(name, {"model@1": CELLS * 64 / WORK})
            report += ledger.lease_seconds / 4
        taken = time.time()
        hub.sleep(WORK)
        if start <= taken < end:
            waits.append(taken - free)
        free = taken + WORK  # a late awakening of this device counts as a wait
        assert ledger.complete(lease.token)
        ledger.epoch()
        ledger.progress(lease.job)


def ring(client: redis.Redis) -> None:
    """Send a doorbell and receive one, by the commands of Celery."""
    assert isinstance(client, LeanRedis)
    tag = random.randbytes(16).hex()
    client.lpush("bulk", DOORBELL)
    client.rpop("bulk")
    client.transact(("ZADD", "unacked_index", time.time(), tag), ("HSET", "unacked", tag, DOORBELL))
    client.transact(("ZREM", "unacked_index", tag), ("HDEL", "unacked", tag))


if __name__ == "__main__":
    main()
