"""A gateway in a thread, its clients, and a worker that makes images without a model."""

import hashlib
import io
import json
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from sse_starlette.sse import AppStatus

from api_gateway.app import create_app
from api_gateway.errors import ErrorDetail
from api_gateway.server import server
from prodgen.access import Scope
from prodgen.connections import connect_ledger
from prodgen.jobs.ending import report, settle_job
from prodgen.jobs.items import JobImages
from prodgen.jobs.record import JobRecord, load_record
from prodgen.ledger.entries import Lease, Queue
from prodgen.recovery import ensure
from prodgen.settings import Settings
from prodgen.spec.finish import file_name
from prodgen.spec.manifest import ManifestLine, write_lines
from prodgen.storage import keys
from prodgen.storage.local import LocalStore
from tests.servers.process import wait_until


@dataclass
class Event:
    """One server-sent event."""

    id: str | None
    type: str
    data: dict[str, Any]


class Client(httpx.Client):
    """A client with a key. ``gateway`` is the process of the gateway, if it has one of its own."""

    tenant: str
    gateway: subprocess.Popen[bytes]

    @property
    def key(self) -> str:
        """The API key."""
        return self.headers["Authorization"].removeprefix("Bearer ")

    def order(self, **spec: Any) -> dict[str, Any]:
        """Order images, and return the job."""
        response = self.post("/v1/jobs", json={"model": "shoes", **spec})
        assert response.status_code == 202, response.text
        job: dict[str, Any] = response.json()
        return job

    def error(self, method: str, url: str, **options: Any) -> tuple[int, dict[str, Any]]:
        """Send a request that must fail, and return its status and its error."""
        response = self.request(method, url, **options)
        body = response.json()
        assert set(body) == {"error"}, body
        assert {"code", "message", "param"} <= set(body["error"]) <= {*ErrorDetail.model_fields}
        assert "\n" not in body["error"]["message"]
        return response.status_code, body["error"]

    def events(self, job: str, **headers: str) -> Iterator[Event]:
        """Yield the job's events until the stream ends."""
        with self.stream("GET", f"/v1/jobs/{job}/events", headers=headers) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            fields: dict[str, str] = {}
            for line in response.iter_lines():
                name, _, value = line.partition(": ")
                if name:
                    fields[name] = value
                elif "data" in fields:
                    yield Event(fields.get("id"), fields["event"], json.loads(fields["data"]))
                    fields = {}


class Gateway:
    """The application on a port. ``bells`` lists the doorbells that it rang."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.bells: list[tuple[Queue, int]] = []
        secret = settings.secret_key.get_secret_value()
        self.store = LocalStore(settings.store_url.removeprefix("file://"), secret, settings.public_url)  # type: ignore[arg-type]
        self.ledger = connect_ledger(settings)
        self.app = create_app(settings, ring=lambda queue, times: self.bells.append((queue, times)))
        self.keys = self.app.state.deployment.keys

    @contextmanager
    def running(self) -> Iterator["Gateway"]:
        """Serve requests until the end of the block."""
        port = int(self.settings.public_url.rpartition(":")[2])
        serving = server(self.app, "127.0.0.1", port)
        thread = threading.Thread(target=serving.run)
        thread.start()
        try:
            wait_until(lambda: serving.started and self.ledger.epoch() is not None, "the gateway is down")
            yield self
        finally:
            serving.should_exit = AppStatus.should_exit = True
            thread.join()
            AppStatus.should_exit = False

    def client(self, tenant: str, scopes: Sequence[Scope] = ("generate",)) -> Client:
        """Return a client of this tenant."""
        ensure(self.store, self.ledger)  # other tests restart Redis, and maintenance does not run here
        secret, _ = self.keys.create(tenant, scopes)
        client = Client(
            base_url=self.settings.public_url, headers={"Authorization": f"Bearer {secret}"}, timeout=60
        )
        client.tenant = tenant
        return client

    def work(self, tenant: str, job: str, cells: int = 10**6) -> JobRecord:
        """Make ``cells`` cells of the job, one in each lease, and settle the job once it is complete.

        Leases of other jobs are carried out too if they come first.
        """
        record = load_record(self.store, tenant, job)
        while cells and (lease := self.ledger.lease(record.spec.priority, "test", 64)):
            cells -= lease.job == job
            owner = load_record(self.store, lease.tenant, lease.job)
            assert report(self.store, self.ledger, owner, lease, write_lines(self._make(owner, lease)))
            if settle_job(self.store, self.ledger, record):
                return record
        settle_job(self.store, self.ledger, record)  # its images may have been made before, for another job
        return record

    def _make(self, record: JobRecord, lease: Lease) -> list[ManifestLine]:
        images = JobImages(self.store, record)
        folder = keys.cell_folder(record.tenant, record.id, lease.first, lease.token)
        buffer, lines = io.BytesIO(), []
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for index in record.indices(lease.first, lease.cells):
                image, data = images[index], content(index)
                name = file_name(index, "png", image.sku, image.repeat)
                place: dict[str, Any] = {"object": f"{folder}/{index:09d}.png"}
                if record.packaging == "tar":
                    place = {"object": f"{folder}.tar", "offset": buffer.tell() + 512, "length": len(data)}
                    member = tarfile.TarInfo(f"{index:09d}.png")
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
                else:
                    self.store.put(place["object"], data)
                made = {
                    "index": index,
                    "sku": image.sku,
                    "seed": image.seed,
                    "draw": image.draw,
                    "attempt": image.attempt,
                    "attributes": {"category": "bag", **image.attributes},
                    "model": record.model,
                    "truncation": 1.0,
                    "finish": record.spec.finish,
                    "format": "png",
                    "precision": "fp32",
                    "file": name,
                    "sha256": hashlib.sha256(data).hexdigest(),
                }
                lines.append(ManifestLine.model_validate({**made, **place}))
        if record.packaging == "tar":
            self.store.put(f"{folder}.tar", buffer.getvalue())
        return lines


def content(index: int) -> bytes:
    """Return the bytes of an image."""
    return f"image {index}".encode() * (index % 7 + 1)
