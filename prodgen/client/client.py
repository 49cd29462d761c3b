"""One method for each request that the gateway answers."""

import secrets
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from prodgen.client.download import PAGE, download
from prodgen.client.transport import Transport

Record = dict[str, Any]
"""A JSON object as the gateway sends it."""

_LIST = 100
_DIGESTS = 10_000
"""Uploads that one request asks for."""


class Client:
    """A caller of the gateway at ``url``, with an API key.

    Raises ProdgenError with the gateway's own message. Requests that queue something take an
    ``idempotency_key``: the same key never queues twice. Without one, a random key makes repeating safe.
    """

    def __init__(self, url: str, key: str) -> None:
        self._transport = Transport(url, key)
        self._json, self._pages = self._transport.json, self._transport.pages
        self.url = url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()

    # Jobs

    def submit(self, spec: Record, idempotency_key: str | None = None) -> Record:
        """Order a job and return it."""
        return self._queue("/v1/jobs", spec, idempotency_key)

    def job(self, job: str) -> Record:
        """Return a job as it stands."""
        return self._json("GET", f"/v1/jobs/{job}")

    def jobs(self) -> Iterator[Record]:
        """Yield every job, newest first."""
        return self._pages("/v1/jobs", _LIST)

    def watch(self, job: str) -> Iterator[Record]:
        """Yield the job's events until it has ended; a broken connection is resumed."""
        return self._transport.events(f"/v1/jobs/{job}/events")

    def cancel(self, job: str) -> Record:
        """Stop a job and return it; finished images stay."""
        return self._json("POST", f"/v1/jobs/{job}/cancel")

    def images(self, job: str, page: int = PAGE) -> Iterator[Record]:
        """Yield the job's finished images by index, as manifest lines with a signed ``url``."""
        return self._pages(f"/v1/jobs/{job}/images", page)

    def download(self, job: str, folder: Path) -> Iterator[Record]:
        """Write the job's finished images and their manifest into ``folder``, as `download` does."""
        return download(self._transport, lambda: self.images(job), folder)

    # Uploads and data sets

    def upload(self, path: Path) -> str:
        """Send a file and return its digest, for the ``upload`` of a job."""
        return self.send(path.read_bytes())

    def send(self, data: bytes) -> str:
        """Send bytes and return their digest."""
        return str(self._json("POST", "/v1/uploads", content=data)["id"])

    def missing(self, digests: Iterable[str]) -> set[str]:
        """Return the digests of which the gateway has no upload."""
        left, found = iter(sorted(set(digests))), set[str]()
        while batch := list(islice(left, _DIGESTS)):
            found.update(self._json("POST", "/v1/uploads/missing", json={"ids": batch})["missing"])
        return found

    def create_dataset(self, name: str, listing: str, summary: Record) -> Record:
        """Create a version of a data set from the uploaded files that the upload ``listing`` lists."""
        body = {"listing": listing, "summary": summary}
        return self._json("POST", f"/v1/datasets/{name}", json=body, timeout=120.0)

    def datasets(self) -> Iterator[Record]:
        """Yield every version of every data set, newest first."""
        return self._pages("/v1/datasets", _LIST)

    def dataset(self, ref: str) -> Record:
        """Return one data set, with a summary of its content."""
        return self._json("GET", f"/v1/datasets/{ref}")

    def delete_dataset(self, ref: str) -> Record:
        """Delete a version, or all versions of a name; return those ``removed`` and the ``bytes`` freed."""
        return self._json("DELETE", f"/v1/datasets/{quote(ref, safe='@')}", timeout=600.0)

    # Models

    def models(self) -> Iterator[Record]:
        """Yield every model version that an order may name."""
        return self._pages("/v1/models", _LIST)

    def model(self, ref: str) -> Record:
        """Return one model, with its attributes and its history."""
        return self._json("GET", f"/v1/models/{ref}")

    def promote(self, name: str, version: str, alias: str, force: bool = False) -> Record:
        """Point ``name@alias`` at a version, or at what another alias names; return the move."""
        body = {"version": version, "force": force}
        return self._json("POST", f"/v1/models/{name}/aliases/{alias}", json=body)

    def rollback(self, name: str, alias: str) -> Record:
        """Point ``name@alias`` at the version that it named before; return the move."""
        body = {"version": self.model(f"{name}@{alias}")["version"]}
        return self._json("POST", f"/v1/models/{name}/aliases/{alias}/rollback", json=body)

    # Runs: training, preparation, evaluation

    def train(self, spec: Record, idempotency_key: str | None = None) -> Record:
        """Queue a training run and return it."""
        return self._queue("/v1/training-jobs", spec, idempotency_key)

    def prepare(self, spec: Record, idempotency_key: str | None = None) -> Record:
        """Queue the preparation of photographs and return the run."""
        return self._queue("/v1/preparation-jobs", spec, idempotency_key)

    def evaluate(self, spec: Record, idempotency_key: str | None = None) -> Record:
        """Queue the evaluation of a model and return the run."""
        return self._queue("/v1/evaluation-jobs", spec, idempotency_key)

    def run(self, run: str) -> Record:
        """Return a run as it stands."""
        return self._json("GET", f"/v1/training-jobs/{run}")

    def runs(self) -> Iterator[Record]:
        """Yield every run, newest first."""
        return self._pages("/v1/training-jobs", _LIST)

    def watch_run(self, run: str) -> Iterator[Record]:
        """Yield the run's events until it has ended; a broken connection is resumed."""
        return self._transport.events(f"/v1/training-jobs/{run}/events")

    def wish(self, run: str, wish: str) -> Record:
        """Ask a run to ``cancel``, ``pause`` or ``resume``, and return it."""
        return self._json("POST", f"/v1/training-jobs/{run}/{wish}")

    def samples(self, run: str) -> list[Record]:
        """Return the run's pictures so far: ``name``, ``step`` and a signed ``url``."""
        return list(self._pages(f"/v1/training-jobs/{run}/samples", _LIST))

    def fetch_sample(self, sample: Record, path: Path) -> None:
        """Download one of `samples` to a file."""
        path.write_bytes(self._transport.download(sample["url"], sample["name"]))

    def logs(self, run: str) -> str:
        """Return what the run's processes printed."""
        return self._transport.request("GET", f"/v1/training-jobs/{run}/logs").text

    def _queue(self, path: str, spec: Record, idempotency_key: str | None) -> Record:
        headers = {"Idempotency-Key": idempotency_key or secrets.token_hex(16)}
        return self._json("POST", path, json=spec, headers=headers)
