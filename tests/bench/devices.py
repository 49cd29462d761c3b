"""How busy one Redis keeps many devices: ``python -m tests.bench.devices --devices 1000``.

Each device is a thread with a connection of its own. It takes a lease, works (sleeps) for a second, completes
the lease, reads the job's progress, and takes the next one; it renews and reports as a worker does. For each
lease it also sends and receives a doorbell by the commands that Celery sends to Redis. A device here has one
lease at a time, so each wait for Redis is a time without work; a real worker has two leases, and works on
meanwhile. The devices run on the same cores as Redis.
"""

import argparse
import os
import random
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

import redis

from prodgen.ledger.entries import JobEntry
from prodgen.ledger.ledger import Ledger
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
    cores = os.cpu_count() or 1
    share = devices // cores
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        parts = [pool.submit(_devices, server.url(), n * share, share, seconds) for n in range(cores)]
        wait_until(lambda: _connected(client) > share * cores, "the devices do not connect", 600)
        begin = time.time() + 1.0
        client.set("begin", begin)
        time.sleep(max(0.0, begin + STARTS - time.time()))
        used = _cpu(client)
        time.sleep(seconds)
        used = (_cpu(client) - used) / seconds
        waits = [wait for part in parts for wait in part.result()]
    leases = len(waits) / seconds
    busy = len(waits) * WORK / (share * cores * seconds)
    _, *_, late = quantiles(waits, n=20)
    print(
        f"{share * cores} devices, {leases:,.0f} leases a second: busy {busy:.1%}; between two leases half "
        f"wait {1000 * median(waits):.1f} ms, 95% at most {1000 * late:.1f} ms; Redis takes {used:.2f} of a "
        f"core, {1_000_000 * used / leases:,.0f} µs a lease; load {os.getloadavg()[0]:.1f}"
    )


def _ledger(url: str) -> Ledger:
    return Ledger(redis.Redis.from_url(url))


def _connected(client: redis.Redis) -> int:
    return int(client.info("clients")["connected_clients"])


def _cpu(client: redis.Redis) -> float:
    info = client.info("cpu")
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


def _devices(url: str, first: int, count: int, seconds: float) -> list[float]:
    """Run ``count`` devices once all are connected; return the waits of all leases in the measured time."""
    waits: list[float] = []
    ledgers = [_ledger(url) for _ in range(count)]
    for ledger in ledgers:
        ledger.client.ping()
    wait_until(lambda: bool(ledgers[0].client.exists("begin")), "the other devices do not connect", 600)
    begin = float(ledgers[0].client.get("begin") or 0)
    threads = [
        threading.Thread(target=_device, args=(ledger, f"host{n}-1-{n:06x}", begin, seconds, waits))
        for n, ledger in enumerate(ledgers, first)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return waits


def _device(ledger: Ledger, name: str, begin: float, seconds: float, waits: list[float]) -> None:
    chance = random.Random(name)
    start, end = begin + STARTS, begin + STARTS + seconds
    time.sleep(max(0.0, begin + chance.uniform(0, STARTS - 2 * WORK) - time.time()))
    free = time.time()
    report = free + chance.uniform(0, ledger.lease_seconds / 4)
    while free < end:
        _ring(ledger.client)
        lease = ledger.lease("bulk", name, CELLS * 64)
        assert lease
        if time.time() > report:
            ledger.renew([lease.token])
            ledger.report_worker(name, {"model@1": CELLS * 64 / WORK})
            report += ledger.lease_seconds / 4
        taken = time.time()
        time.sleep(WORK)
        if start <= taken < end:
            waits.append(taken - free)
        free = taken + WORK  # a late awakening of this thread counts as a wait of the device
        assert ledger.complete(lease.token)
        ledger.progress(lease.job)


def _ring(client: redis.Redis) -> None:
    """Send a doorbell and receive one, by the commands of Celery."""
    client.lpush("bulk", DOORBELL)
    client.rpop("bulk")
    tag = random.randbytes(16).hex()
    with client.pipeline() as pipe:
        pipe.zadd("unacked_index", {tag: time.time()})
        pipe.hset("unacked", tag, DOORBELL)
        pipe.execute()
        pipe.zrem("unacked_index", tag)
        pipe.hdel("unacked", tag)
        pipe.execute()


if __name__ == "__main__":
    main()
