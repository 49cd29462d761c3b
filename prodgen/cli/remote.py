"""What the commands that speak to a gateway share."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from prodgen.cli.options import print_json
from prodgen.client import Client
from prodgen.errors import ProdgenError

console = Console(stderr=True)
"""Progress, and what is said beside the result."""
results = Console()
"""Results for people: what a pipe gets."""


def client() -> Client:
    """A client of the gateway that PRODGEN_URL and PRODGEN_API_KEY name."""
    key = os.environ.get("PRODGEN_API_KEY")
    if not key:
        raise ProdgenError("PRODGEN_API_KEY is not set; `prodgen up` writes a key to ready.json")
    if not key.isascii():
        raise ProdgenError("PRODGEN_API_KEY has a letter that no key has; copy it again")
    url = os.environ.get("PRODGEN_URL", "http://127.0.0.1:8000")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ProdgenError(f"PRODGEN_URL must be http://HOST:PORT or https://HOST, not {url!r}")
    return Client(url, key)


def follow(gateway: Client, job: dict[str, Any], quiet: bool) -> dict[str, Any]:
    """Show the job's progress until it has ended -> its last state."""
    with _bar(quiet) as progress:
        task = progress.add_task("Making images", total=job["total"], completed=job["done"])
        for event in gateway.watch(job["id"]):
            progress.update(task, completed=event["done"])
    return gateway.job(job["id"])


def fetch(gateway: Client, job: dict[str, Any], folder: Path, quiet: bool) -> int:
    """Download what is made of the job -> how many images."""
    count = 0
    with _bar(quiet) as progress:
        task = progress.add_task("Downloading  ", total=job["done"])
        for count, _ in enumerate(gateway.download(job["id"], folder), 1):
            progress.update(task, completed=count)
    return count


def print_record(record: dict[str, Any], json: bool) -> None:
    """One thing of the gateway's: JSON for programs, a line a field for people."""
    if json:
        print_json(record)
        return
    for name, value in record.items():
        results.print(f"{name:12} {value}", markup=False, soft_wrap=True)


def _bar(quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=quiet)
