"""Images by their addresses: how long a new and a known image take, and how many are known under a Zipf load.

``python -m tests.bench.renders [ADDRESSES] [REQUESTS] [CLIENTS]`` starts a stack of its own with one worker.
"""

import json
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np

from prodgen.ledger.renders import Renders
from tests.servers.up import Up

COLOURS = ("crimson", "navy", "white", "black", "forestgreen", "orange", "teal", "gold")
EXPONENT = 1.0
"""The exponent of the Zipf law: the address of rank r is asked for with a probability proportional to 1/r."""


def main(addresses: int, requests: int, clients: int) -> None:
    """Print the times of new and known images one after another, and then under the load of ``clients``."""
    with tempfile.TemporaryDirectory() as folder, Up(Path(folder) / "data", workers=1) as up:
        ready = json.loads((Path(folder) / "data" / "ready.json").read_text())
        key = {"Authorization": f"Bearer {ready['api_key']}"}
        with httpx.Client(base_url=up.url, headers=key, timeout=90) as client:
            version = client.get("/v1/models/clothing").json()["version"]
            get(client, address(version, 0, 1))  # the worker loads the model
            alone = [get(client, address(version, k, 2)) for k in range(60)]
            again = [get(client, address(version, k, 2)) for k in range(60)]
            show("one client, new images", alone)
            show("one client, known images", again)
            before = made(up)
            weights = 1 / np.arange(1, addresses + 1) ** EXPONENT
            ranks = np.random.default_rng(7).choice(addresses, requests, p=weights / weights.sum())
            start = time.perf_counter()
            with ThreadPoolExecutor(clients) as pool:
                found = list(pool.map(lambda rank: get(client, address(version, int(rank), 3)), ranks))
            seconds = time.perf_counter() - start
            images = made(up) - before
    print(
        f"{clients} clients, {requests} requests for {addresses} addresses, Zipf {EXPONENT}: {seconds:.0f} s"
    )
    by_status = defaultdict(list)
    for status, took in found:
        by_status[status].append((status, took))
    show("  new images", by_status["prodgen; fwd=miss; stored"])
    show("  known images", by_status["prodgen; hit"])
    share = len(by_status["prodgen; hit"]) / requests
    print(f"  hits: {share:.1%}; addresses asked for: {len({*ranks})}; images made: {images}")


def address(version: str, index: int, seed: int) -> str:
    """Return the address of a shirt of 128 pixels as WebP."""
    colour = COLOURS[index % len(COLOURS)]
    return f"/v1/render/clothing@{version}/{seed}/{index}.webp?category=t-shirt&colour={colour}&size=128"


def get(client: httpx.Client, path: str) -> tuple[str, float]:
    """Return the Cache-Status of an image, and the seconds until it has arrived."""
    start = time.perf_counter()
    response = client.get(path)
    response.raise_for_status()
    return response.headers["Cache-Status"], time.perf_counter() - start


def made(up: Up) -> int:
    """Return how many images the worker has made today."""
    return sum(images for _, _, images, _ in Renders(up.ledger()).made(datetime.now(UTC).date()))


def show(what: str, found: list[tuple[str, float]]) -> None:
    """Print the percentiles of the times, in milliseconds."""
    p50, p95, p99 = np.percentile([1000 * took for _, took in found], [50, 95, 99])
    print(f"{what}: {len(found)}, p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms")


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    main(*(given + [1000, 4000, 8][len(given) :]))
