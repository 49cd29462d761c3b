"""How long a tenant waits while another one keeps interactive orders in flight.

``python -m tests.bench.fairness`` starts ``prodgen up`` with one worker. Tenant A keeps ``--streams``
interactive orders of 64 images in flight. Once as many have ended, tenant B places an interactive order of 8
images and a bulk order. Prints what B got.
"""

import argparse
import json
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from prodgen.client import Client
from prodgen.errors import ProdgenError
from tests.servers.process import wait_until
from tests.servers.up import Up

ORDER = {"model": "fashion-mnist", "finish": {"size": 256}}


def main() -> None:
    """Measure, and print a line for each of B's orders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=24, help="interactive orders of A in flight")
    parser.add_argument("--bulk", type=int, default=2000, help="images of B's bulk order")
    parser.add_argument("--seconds", type=float, default=70.0, help="how long A's stream lasts")
    options = parser.parse_args()
    with TemporaryDirectory() as folder, Up(Path(folder) / "data", workers=1) as up:
        ended, made = threading.Event(), list[int]()
        streams = [
            threading.Thread(target=_stream, args=(up.url, _key(up, "a"), ended, made))
            for _ in range(options.streams)
        ]
        for stream in streams:
            stream.start()
        wait_until(lambda: len(made) >= options.streams, "the orders of A do not end", 300)
        with Client(up.url, _key(up, "b")) as b:
            begin = time.monotonic()
            bulk = b.submit({**ORDER, "count": options.bulk})["id"]
            quick = b.submit({**ORDER, "count": 8, "priority": "interactive"})["id"]
            first: dict[str, float] = {}
            while time.monotonic() - begin < options.seconds and len(first) < 3:
                now = time.monotonic() - begin
                view = b.job(bulk)
                if view["done"]:
                    first.setdefault("bulk begins", now)
                if view["state"] == "succeeded":
                    first.setdefault("bulk ends", now)
                if b.job(quick)["state"] == "succeeded":
                    first.setdefault("interactive ends", now)
                time.sleep(0.05)
            seconds, done = time.monotonic() - begin, b.job(bulk)["done"]
        ended.set()
        for stream in streams:
            stream.join()
    for what, after in first.items():
        print(f"B: {what} after {after:.1f} s")
    print(f"B: {done} of {options.bulk} bulk images in {seconds:.0f} s; A: {len(made)} orders of 64 images")


def _key(up: Up, tenant: str) -> str:
    return str(
        json.loads(up.cli("keys", "create", "--tenant", tenant, "--scope", "generate", "--json").stdout)[
            "key"
        ]
    )


def _stream(url: str, key: str, ended: threading.Event, made: list[int]) -> None:
    with Client(url, key) as client:
        while not ended.is_set():
            try:
                job = client.submit({**ORDER, "count": 64, "priority": "interactive"})["id"]
            except ProdgenError:  # too many orders in flight
                ended.wait(0.5)
                continue
            while not ended.is_set() and client.job(job)["state"] != "succeeded":
                ended.wait(0.1)
            made.append(1)


if __name__ == "__main__":
    main()
