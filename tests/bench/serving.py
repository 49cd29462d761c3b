"""Serving side by side: prodgen, plain Celery, BentoML and LitServe, with one generator on the same cores.

``python -m tests.bench.serving`` prepares an environment for each peer from PyPI, starts all, and measures
each in turn, round by round: many images as fast as possible, then single images. Meanwhile the processes of
the others are stopped. Every contestant makes images of ``fashion-mnist`` with the same network and PNG
encoder, and one process with one thread a core.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from tests.bench.environments import Unavailable
from tests.bench.serving_contestants import CORES, Contestant, bare, bentoml, celery, litserve
from tests.bench.serving_own import local, on_s3, trace

SINGLES = 20
"""Images of a round that are asked for one after another, alone and under bulk load."""
BULK = 100_000
"""Images of the order that is the bulk load, and is cancelled after the single images."""


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4096, help="images of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", help="local, s3, celery, bentoml, litserve (default: all)")
    parser.add_argument("--environments", type=Path, default=Path("build/bench-environments"))
    options = parser.parse_args()
    with TemporaryDirectory(prefix="serving-") as name, ExitStack() as stack:
        folder, images, envs = Path(name), options.images, options.environments.absolute()
        environ = trace(folder)
        contestants: dict[str, Callable[[], Iterable[Contestant]]] = {
            "local": lambda: local(stack, folder, images),
            "s3": lambda: on_s3(stack, folder, images),
            "celery": lambda: celery(environ, stack, folder, images),
            "bentoml": lambda: [bentoml(environ, stack, folder, envs, images)],
            "litserve": lambda: [litserve(environ, stack, folder, envs, images)],
        }
        found = [bare(environ, stack, images)]
        for who in options.only or contestants:
            try:
                found += contestants[who]()
            except Unavailable as error:
                print(f"{who} cannot take part: {error}", file=sys.stderr)
        for one in found:
            one.meter.stop()
            stack.callback(one.meter.resume)
        print("all have started", file=sys.stderr, flush=True)
        with suppress(KeyboardInterrupt):  # Ctrl-C: print what is measured
            for number in range(options.rounds):
                for one in found:
                    with one.meter.awake():
                        _measure(one, number)
        _print([one for one in found if one.rates], int(environ["SERVED_BATCH"]))


def _measure(one: Contestant, number: int) -> None:
    begin = 1_000_000 * (number + 1)
    with one.meter.measuring():
        start = time.perf_counter()
        one.load(begin, one.images)
        one.rates.append(one.images / (time.perf_counter() - start))
    one.alone += _singles(one, begin + one.images)
    if one.bulk:
        cancel = one.bulk(BULK)
        one.under_bulk += _singles(one, begin + one.images + SINGLES)
        cancel()
    load = f"load {os.getloadavg()[0]:.1f}"
    print(f"round {number + 1}, {one.name}: {one.rates[-1]:,.0f}/s, {load}", file=sys.stderr, flush=True)


def _singles(one: Contestant, first: int) -> list[float]:
    """Make images one after another; return the milliseconds of each."""
    times = []
    for index in range(first, first + SINGLES):
        start = time.perf_counter()
        one.single(index)
        times.append(1000 * (time.perf_counter() - start))
    return times


def _print(found: list[Contestant], batch: int) -> None:
    """Print the table, and what the targets ask for."""
    print(
        "| what | images/s | of the bare loop | one image alone, p50, p95 | under bulk load | CPU | memory |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for one in found:
        share = median(rate / loop for rate, loop in zip(one.rates, found[0].rates, strict=False))
        cpu = f"{1000 * one.meter.cpu / one.meter.runs / one.images:.2f} s"
        print(
            f"| {one.name} | {median(one.rates):,.0f} | {share:.2f} | {_percentiles(one.alone)} "
            f"| {_percentiles(one.under_bulk)} | {cpu} | {one.meter.memory:,.0f} MiB |"
        )
    loop = median(found[0].rates) / CORES
    print(f"CPU: of 1,000 images. A batch: {batch} images, {1000 * batch / loop:.0f} ms of a core.")


def _percentiles(times: list[float]) -> str:
    if not times:
        return ""
    return f"{median(times):.0f}, {quantiles(times, n=20)[-1]:.0f} ms"


if __name__ == "__main__":
    main()
