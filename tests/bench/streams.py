"""Idle event streams: ``python -m tests.bench.streams --streams 500`` measures what they cost other requests.

Starts ``prodgen up`` and asks for the state of a paused order again and again, first without streams, then
while so many streams of paused orders are open. Prints the times of the answers, and the gateway's CPU.
"""

import argparse
import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil

from prodgen.access import KeyRing
from tests.servers.process import wait_until
from tests.servers.up import Up

STREAMS = 50
"""Streams of one tenant, which may have 64."""
REQUESTS = 300


async def _measure(what: str, up: Up, http: httpx.AsyncClient, job: str) -> None:
    gateway, seconds = psutil.Process(up.pids["gateway"]), list[float]()
    began, used = time.monotonic(), sum(gateway.cpu_times()[:2])
    for _ in range(REQUESTS):
        start = time.monotonic()
        (await http.get(f"/v1/jobs/{job}")).raise_for_status()
        seconds.append(1000 * (time.monotonic() - start))
        await asyncio.sleep(0.05)
    share = (sum(gateway.cpu_times()[:2]) - used) / (time.monotonic() - began)
    seconds.sort()
    half, late = seconds[REQUESTS // 2], seconds[int(REQUESTS * 0.95)]
    print(
        f"{what}: half within {half:.0f} ms, 95% within {late:.0f} ms, all within {seconds[-1]:.0f} ms;",
        end="",
    )
    print(f" the gateway takes {share:.2f} of a core", flush=True)


async def _run(up: Up, streams: int) -> None:
    keys = KeyRing(up.store)
    tenants = [keys.create(f"shop-{n}", ["generate"])[0] for n in range(-(-streams // STREAMS))]
    async with AsyncExitStack() as opened:
        clients = [
            await opened.enter_async_context(
                httpx.AsyncClient(
                    base_url=up.url,
                    headers={"Authorization": f"Bearer {key}"},
                    timeout=60,
                    limits=httpx.Limits(max_connections=None),
                    trust_env=False,
                )
            )
            for key in tenants
        ]
        jobs = []
        for http in clients:
            answer = await http.post("/v1/jobs", json={"model": "fashion-mnist", "count": 100_000})
            jobs.append(answer.raise_for_status().json()["id"])
            (await http.post(f"/v1/jobs/{jobs[-1]}/pause")).raise_for_status()
        wait_until(lambda: not up.leases(), "workers hold leases of paused orders")
        await _measure("without streams", up, clients[0], jobs[0])
        for n in range(streams):
            http, job = clients[n // STREAMS], jobs[n // STREAMS]
            stream = await opened.enter_async_context(http.stream("GET", f"/v1/jobs/{job}/events"))
            stream.raise_for_status()
        await asyncio.sleep(10)  # until the streams read at their slowest
        await _measure(f"with {streams} streams", up, clients[0], jobs[0])


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=500)
    options = parser.parse_args()
    with TemporaryDirectory() as folder, Up(Path(folder) / "data", workers=1) as up:
        asyncio.run(_run(up, options.streams))


if __name__ == "__main__":
    main()
