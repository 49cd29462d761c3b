"""Functions for commands that call a gateway: connect, wait for a job, and download its images."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prodgen.cli.progress import ProgressBars
from prodgen.client import Client
from prodgen.errors import ProdgenError


def connect() -> Client:
    """Return a client of the gateway at PRODGEN_URL (default: port 8000 here), with the key PRODGEN_API_KEY.

    Raises ProdgenError if the key is not set, or if the key or the URL is malformed.
    """
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


def wait_for_job(gateway: Client, job: dict[str, Any], quiet: bool) -> dict[str, Any]:
    """Wait until the job has ended and return it. Show a progress bar unless ``quiet``."""
    with ProgressBars(quiet) as bars:
        bars.report("Making images", job["done"], job["total"])
        for event in gateway.watch(job["id"]):
            bars.report("Making images", event["done"], job["total"])
    return gateway.job(job["id"])


def download_job(gateway: Client, job: dict[str, Any], folder: Path, quiet: bool) -> int:
    """Download the job's finished images and their manifest to the folder; return the number of images."""
    count = 0
    with ProgressBars(quiet) as bars:
        for count, _ in enumerate(gateway.download(job["id"], folder), 1):
            bars.report("Downloading  ", count, job["done"])
    return count
