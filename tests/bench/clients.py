"""Many clients at once: how fast the gateway answers them, and whether its memory grows.

``python -m tests.bench.clients`` starts ``prodgen up`` with one worker. Each client repeats until the end:
order a few images, follow a job to its end, read a page of images and download one of them, or list the
models. Prints requests a second, errors, waiting times, and each minute the resident memory of each service.
"""

import argparse
import asyncio
import json
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil

from prodgen.access import KeyRing
from tests.servers.up import Up

TENANTS = 10
ACTIONS = {"order": 2, "follow": 3, "page": 4, "models": 1}
"""The requests of a client, and how often it makes each."""
WATCHED = ("gateway", "worker-1", "maintenance", "broker")


@dataclass
class Counts:
    """Counts of the requests of all clients. ``seconds`` are the waiting times of each kind of request."""

    answers: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def note(self, what: str, status: int | str, began: float) -> None:
        """Count an answer, or the name of the error that came instead."""
        self.answers[str(status)] += 1
        self.seconds[what].append(time.monotonic() - began)


class Person:
    """A client of a tenant. The clients of a tenant share ``jobs``, the ids of the jobs that they ordered."""

    def __init__(self, url: str, key: str, jobs: list[str], counts: Counts, seed: int) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=60, trust_env=False)
        self._jobs, self._counts, self._random = jobs, counts, random.Random(seed)

    async def work(self, end: float) -> None:
        """Send requests, with pauses of a second on average, until the time ``end``."""
        await asyncio.sleep(self._random.uniform(0, 2))
        while time.monotonic() < end:
            what = self._random.choices([*ACTIONS], [*ACTIONS.values()])[0] if self._jobs else "order"
            await getattr(self, f"_{what}")()
            await asyncio.sleep(self._random.uniform(0, 2))
        await self._http.aclose()

    async def _get(self, what: str, url: str) -> httpx.Response | None:
        began = time.monotonic()
        try:
            response = await self._http.get(url)
        except httpx.HTTPError as error:
            self._counts.note(what, type(error).__name__, began)
            return None
        self._counts.note(what, response.status_code, began)
        return response if response.is_success else None

    async def _order(self) -> None:
        began = time.monotonic()
        order = {"model": "fashion-mnist", "count": self._random.randint(1, 16)}
        try:
            response = await self._http.post("/v1/jobs", json=order)
        except httpx.HTTPError as error:
            self._counts.note("order", type(error).__name__, began)
            return
        self._counts.note("order", response.status_code, began)
        if response.is_success:
            self._jobs.append(response.json()["id"])

    async def _follow(self) -> None:
        began, url = time.monotonic(), f"/v1/jobs/{self._jobs[-1]}/events"
        try:
            async with self._http.stream("GET", url) as response:
                async for _ in response.aiter_lines():
                    pass
            self._counts.note("follow", response.status_code, began)
        except httpx.HTTPError as error:
            self._counts.note("follow", type(error).__name__, began)

    async def _page(self) -> None:
        page = await self._get("page", f"/v1/jobs/{self._random.choice(self._jobs)}/images?limit=16")
        if page and (images := page.json()["data"]):
            await self._get("image", self._random.choice(images)["url"])

    async def _models(self) -> None:
        await self._get("models", "/v1/models")


def resident(up: Up) -> str:
    """Return how many MiB each watched service has in memory, as text."""
    sizes = {name: psutil.Process(up.pids[name]).memory_info().rss / 2**20 for name in WATCHED}
    return ", ".join(f"{name} {size:.0f} MiB" for name, size in sizes.items())


async def _report(up: Up, minutes: float) -> None:
    for minute in range(int(minutes) + 1):
        print(f"minute {minute}: {resident(up)}", flush=True)
        await asyncio.sleep(60 if minute < int(minutes) else 0)


async def _run(up: Up, clients: int, minutes: float) -> None:
    counts, keys = Counts(), KeyRing(up.store)
    tenants = [(keys.create(f"shop-{n}", ["generate"])[0], list[str]()) for n in range(TENANTS)]
    people = [Person(up.url, *tenants[n % TENANTS], counts, seed=n) for n in range(clients)]
    end = time.monotonic() + 60 * minutes
    await asyncio.gather(_report(up, minutes), *(person.work(end) for person in people))
    total = sum(counts.answers.values())
    print(f"{total:,} requests, {total / minutes / 60:.0f} a second; {json.dumps(counts.answers)}")
    for what, seconds in counts.seconds.items():
        seconds.sort()
        middle, late = seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.99)]
        print(f"{what}: {len(seconds):,}, half within {middle:.2f} s, 99% within {late:.2f} s")


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=5)
    options = parser.parse_args()
    with TemporaryDirectory() as folder, Up(Path(folder) / "data", workers=1) as up:
        asyncio.run(_run(up, options.clients, options.minutes))
        print(f"at the end: {resident(up)}")


if __name__ == "__main__":
    main()
