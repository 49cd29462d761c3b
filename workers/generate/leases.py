"""From a lease to images in the store: made, stored, reported, published, in this order.

The order is the whole safety of it: see `prodgen.recovery`.
"""

import io
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache

from prodgen.errors import Unavailable
from prodgen.generation.engine import Cancelled, Request
from prodgen.generation.manifest import describe
from prodgen.jobs.ending import finish
from prodgen.jobs.record import JobRecord
from prodgen.jobs.report import discard, report
from prodgen.ledger.entries import TERMINAL, Lease
from prodgen.ledger.scripts import LedgerLost
from prodgen.spec.finish import file_name
from prodgen.spec.image import ImageRequest, resolve
from prodgen.spec.manifest import ManifestLine, write_lines
from prodgen.storage import Store, keys
from workers.generate.device import Station, log

PRIORITY = {"bulk": 0, "interactive": 1}
UPLOADS = 8
"""Objects on their way to the store at once."""


def work_off(station: Station, lease: Lease) -> str:
    """Make the lease's images -> what was done, for Flower. What fails is raised, the ledger told of it.

    Raises Unavailable, the lease handed back, if a service is away for longer than a lease is worth.
    """
    start = time.perf_counter()
    title = f"job {lease.job[:6]} cells {lease.first}-{lease.first + lease.cells - 1}"
    try:
        with station.holding(lease.token):
            images = _make(station, lease)
    except Cancelled:
        discard(station.store, station.job(lease.tenant, lease.job)[0], lease)
        images = None
    except Unavailable as error:
        with suppress(Unavailable):
            station.ledger.release(lease.token)
        raise Unavailable(f"{title}: handed back, {error}") from error
    except Exception as error:
        log.exception("%s failed", title)
        with suppress(Unavailable):
            station.ledger.fail(lease.token, str(error))
        raise
    if images is None:
        _tidy(station, lease)
        return f"{title}: given up, the lease was lost or the job cancelled"
    return f"{title}: {images} images, {time.perf_counter() - start:.2f} s"


def _make(station: Station, lease: Lease) -> int | None:
    """The number of images that count now, None if another's do."""
    record, expansion = station.job(lease.tenant, lease.job)
    model = station.model(record.model, lease.tenant)
    wanted = [expansion[k] for k in record.indices(lease.first, lease.cells)]
    spec = record.spec
    request = Request(
        model,
        resolve(model.config.attributes, wanted),
        spec.truncation,
        spec.finish,
        spec.output.format,
        PRIORITY[spec.priority],
    )
    ticket = station.engine.submit(request)
    station.attach(lease.token, ticket)
    folder = keys.cell_folder(lease.tenant, lease.job, lease.first, lease.token)
    package = _as_tar if record.packaging == "tar" else _as_files
    lines = write_lines(package(station.store, folder, record, request, list(ticket)))
    return len(wanted) if _report(station, record, lease, lines) else None


def _report(station: Station, record: JobRecord, lease: Lease, manifest: bytes) -> bool:
    """`report`, and again while a service restarts: what is made should not have to be made again."""
    deadline = time.monotonic() + station.settings.lease_seconds
    while True:
        try:
            return report(station.store, station.ledger, record, lease, manifest)
        except LedgerLost:  # no token from before a wipe is ever counted
            raise
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _tidy(station: Station, lease: Lease) -> None:
    """A straggler of a job that has ended sweeps after itself, for nobody else will."""
    progress = station.ledger.progress(lease.job)
    if progress and progress.state in TERMINAL:
        finish(station.store, station.ledger, station.job(lease.tenant, lease.job)[0])


def _as_files(
    store: Store, folder: str, record: JobRecord, request: Request, files: list[bytes]
) -> list[ManifestLine]:
    """One object an image."""
    content_type = record.spec.output.content_type()

    def put(image: ImageRequest, data: bytes) -> ManifestLine:
        key = f"{folder}/{file_name(image.index, request.format)}"
        store.put(key, data, content_type)
        return describe(request, image, data, object=key)

    return list(_uploaders().map(put, request.images, files))


def _as_tar(
    store: Store, folder: str, record: JobRecord, request: Request, files: list[bytes]
) -> list[ManifestLine]:
    """One object a lease, each image a member whose place the manifest tells."""
    buffer, lines, key = io.BytesIO(), [], f"{folder}.tar"
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for image, data in zip(request.images, files, strict=True):
            member = tarfile.TarInfo(file_name(image.index, request.format))
            member.size = len(data)
            offset = buffer.tell() + tarfile.BLOCKSIZE
            archive.addfile(member, io.BytesIO(data))
            lines.append(describe(request, image, data, object=key, offset=offset, length=len(data)))
    store.put(key, buffer.getvalue(), "application/x-tar")
    return lines


@cache
def _uploaders() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(UPLOADS, "upload")
