"""Makes the images of a lease: generates, stores, reports and publishes them, in this order.

The order is the protocol between the ledger and the store (``docs/explanation/ledger-and-store.md``).
"""

import io
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from prodgen.errors import Unavailable
from prodgen.generation.engine import Cancelled, Request
from prodgen.generation.manifest import manifest_line
from prodgen.jobs.ending import settle_job
from prodgen.jobs.record import JobRecord
from prodgen.jobs.report import discard, report
from prodgen.ledger.entries import TERMINAL, Lease
from prodgen.ledger.scripts import LedgerLost
from prodgen.spec.finish import file_name
from prodgen.spec.image import ImageRequest, resolve_attributes
from prodgen.spec.manifest import ManifestLine, write_lines
from prodgen.storage import Store, keys
from workers.generate.device import Device, log

PRIORITY = {"bulk": 0, "interactive": 1}
UPLOADS = 8
"""Objects that are sent to the store at once."""


def make(device: Device, lease: Lease) -> str:
    """Make the lease's images, and return a summary for Flower. A failure is reported to the ledger and
    raised.

    Raises Unavailable, the lease returned, if a service is away for longer than a lease lasts.
    """
    start = time.perf_counter()
    title = f"job {lease.job[:6]} cells {lease.first}-{lease.first + lease.cells - 1}"
    try:
        with device.holding(lease.token):
            images = _make(device, lease)
    except Cancelled:
        discard(device.store, device.job(lease.tenant, lease.job)[0], lease)
        images = None
    except Unavailable as error:
        with suppress(Unavailable):
            device.ledger.release(lease.token)
        raise Unavailable(f"{title}: returned, {error}") from error
    except Exception as error:
        log.exception("%s failed", title)
        with suppress(Unavailable):
            device.ledger.fail(lease.token, str(error))
        raise
    if images is None:
        _settle_if_ended(device, lease)
        return f"{title}: dropped, the lease was lost or the job cancelled"
    return f"{title}: {images} images, {time.perf_counter() - start:.2f} s"


def _make(device: Device, lease: Lease) -> int | None:
    """Return the number of images that count, or None if another lease's images count."""
    record, expansion = device.job(lease.tenant, lease.job)
    model = device.model(record.model, lease.tenant)
    wanted = [expansion[k] for k in record.indices(lease.first, lease.cells)]
    spec = record.spec
    request = Request(
        model,
        resolve_attributes(model.config.attributes, wanted),
        spec.truncation,
        spec.finish,
        spec.output.format,
        PRIORITY[spec.priority],
    )
    response = device.engine.submit(request)
    device.attach(lease.token, response)
    folder = keys.cell_folder(lease.tenant, lease.job, lease.first, lease.token)
    package = _as_tar if record.packaging == "tar" else _as_files
    lines = write_lines(package(device.store, folder, record, request, list(response)))
    return len(wanted) if _report(device, record, lease, lines) else None


def _report(device: Device, record: JobRecord, lease: Lease, manifest: bytes) -> bool:
    """Report the lease. Tries again while a service restarts, so that the images need not be made again."""
    for attempt in Retrying(
        retry=retry_if_exception(lambda e: isinstance(e, Unavailable) and not isinstance(e, LedgerLost)),
        stop=stop_after_delay(device.settings.lease_seconds),
        wait=wait_fixed(0.5),
        reraise=True,
    ):
        with attempt:
            counted = report(device.store, device.ledger, record, lease, manifest)
    return counted


def _settle_if_ended(device: Device, lease: Lease) -> None:
    """Sweep after a lease of a job that has ended: no other process will."""
    progress = device.ledger.progress(lease.job)
    if progress and progress.state in TERMINAL:
        settle_job(device.store, device.ledger, device.job(lease.tenant, lease.job)[0])


def _as_files(
    store: Store, folder: str, record: JobRecord, request: Request, files: list[bytes]
) -> list[ManifestLine]:
    """Store one object an image."""
    content_type = record.spec.output.content_type()

    def put(image: ImageRequest, data: bytes) -> ManifestLine:
        key = f"{folder}/{file_name(image.index, request.format)}"
        store.put(key, data, content_type)
        return manifest_line(request, image, data, object=key)

    return list(_uploaders().map(put, request.images, files))


def _as_tar(
    store: Store, folder: str, record: JobRecord, request: Request, files: list[bytes]
) -> list[ManifestLine]:
    """Store one tar a lease. The manifest has the offset and length of each image in it."""
    buffer, lines, key = io.BytesIO(), [], f"{folder}.tar"
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for image, data in zip(request.images, files, strict=True):
            member = tarfile.TarInfo(file_name(image.index, request.format))
            member.size = len(data)
            offset = buffer.tell() + tarfile.BLOCKSIZE
            archive.addfile(member, io.BytesIO(data))
            lines.append(manifest_line(request, image, data, object=key, offset=offset, length=len(data)))
    store.put(key, buffer.getvalue(), "application/x-tar")
    return lines


@cache
def _uploaders() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(UPLOADS, "upload")
