"""Makes the images of a lease: generates and stores them, reports them to the ledger, publishes the manifest.

The protocol between the ledger and the store fixes the order of these steps
(``docs/explanation/ledger-and-store.md``).
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from prodgen import traces
from prodgen.errors import ProdgenError, Unavailable, Unsupported
from prodgen.generation.request import Cancelled, Request, Response
from prodgen.jobs.ending import discard, report, settle_job
from prodgen.jobs.record import JobRecord
from prodgen.ledger.entries import TERMINAL, Lease
from prodgen.ledger.scripts import LedgerLost
from prodgen.logs import bound
from prodgen.models import SavedModel
from prodgen.models.saved import is_out_of_memory
from prodgen.photographs.studio import Studio, StudioPicture
from prodgen.spec.manifest import ManifestLine, write_lines
from prodgen.spec.order import resolve_attributes
from prodgen.storage import keys
from workers.generate.device import Device, Held, log
from workers.generate.metrics import count_images, failures, leases_ended, stage
from workers.generate.packages import as_files, as_tar
from workers.generate.photographs import PictureResponse
from workers.generate.redraws import started

PRIORITY = {"bulk": 0, "interactive": 1}


def make(device: Device, lease: Lease) -> str:
    """Make the images of a lease, and return a summary for Flower.

    If the job needs something that this worker does not have, refuses the lease, so that another worker makes
    it. Raises RuntimeError for any other failure, after it has reported the failure to the ledger. Gives the
    lease back, and raises Unavailable, if a service does not answer for longer than a lease lasts.
    """
    record = device.record(lease)
    parent, request_id = (record.traceparent, record.request_id) if record else (None, None)
    ids = {"tenant": lease.tenant, "job": lease.job, "lease": lease.token, "request_id": request_id}
    with bound(**ids), traces.span("lease", parent, {**ids, "cells": lease.cells}):
        return _make_and_report(device, lease)


def title(lease: Lease) -> str:
    """Return the title of a lease for logs and Flower, such as ``job 1f2e3d cells 0-15``."""
    return f"job {lease.job[:6]} cells {lease.first}-{lease.first + lease.cells - 1}"


def _make_and_report(device: Device, lease: Lease) -> str:
    start = time.perf_counter()
    try:
        with device.holding(lease.token) as held:
            images = _make(device, lease, held)
    except Cancelled:
        discard(device.store, device.job(lease.tenant, lease.job)[0], lease)
        images = None
    except Unavailable as error:
        failures.labels("service").inc()
        _return(device, lease)
        raise Unavailable(f"{title(lease)}: returned, {error}") from error
    except Unsupported as error:
        log.error("%s refused: %s", title(lease), error)
        leases_ended.labels("refused").inc()
        with suppress(Unavailable):
            device.ledger.refuse(lease.token, str(error))
        return f"{title(lease)}: refused, {error}"
    except Exception as error:
        log.exception("%s failed", title(lease))
        _blame(device, lease, error)
        raise RuntimeError(f"{title(lease)}: {error}") from error
    if images is None:
        leases_ended.labels("lost").inc()
        _settle_if_ended(device, lease)
        summary = f"{title(lease)}: dropped, the lease was lost or the job cancelled"
        log.info("%s", summary)
        return summary
    leases_ended.labels("completed").inc()
    device.condition.completed()
    summary = f"{title(lease)}: {images} images, {time.perf_counter() - start:.2f} s"
    log.info("%s", summary)
    return summary


def _make(device: Device, lease: Lease, held: Held) -> int | None:
    """Make, store and report the images of a lease. Returns their number.

    Returns None if they do not count, because the lease was lost or its job was cancelled.
    """
    record, expansion = device.job(lease.tenant, lease.job)
    with stage("model"):
        model = device.models.load(record.model, lease.tenant)
    held.advance()
    wanted, spec = [expansion[k] for k in record.indices(lease.first, lease.cells)], record.spec
    with device.rates.making(record.model):
        if isinstance(model, SavedModel):
            wanted = [started(device, held, lease.tenant, model, image) for image in wanted]
        request = Request(
            model,
            resolve_attributes(model.config.attributes, wanted),
            spec.truncation,
            spec.finish,
            spec.output.format,
            PRIORITY[lease.queue],
            lease.tenant,
            marks=spec.output.marks != "none",
            quality=record.quality,
        )
        with stage("images"):
            files = []
            for file in _begin(device, held, model, request):
                files.append(file)
                held.advance()
        with stage("store"):
            if isinstance(held.response, Response):
                request = replace(request, images=held.response.images)  # by the attempts of the quality gate
            manifest = write_lines(_store(device, held, lease, record, request, files))
        with stage("report"):
            counts = _report(device, record, lease, manifest)
    if not counts:
        return None
    count_images(record.model, len(wanted))
    device.rates.made(record.model, len(wanted))
    return len(wanted)


def _begin(
    device: Device, held: Held, model: SavedModel | Studio, request: Request
) -> Iterator[StudioPicture]:
    """Start the request, and yield its pictures in the order of its images.

    Only pictures of photographs may need a review, so those of a generator have None in its place.
    """
    if isinstance(model, Studio):
        held.response = PictureResponse(device.store, model, request)
        yield from held.response
    else:
        held.response = response = device.engine.submit(request)
        yield from (StudioPicture(data, None) for data in response)


def _store(
    device: Device,
    held: Held,
    lease: Lease,
    record: JobRecord,
    request: Request,
    files: list[StudioPicture],
) -> list[ManifestLine]:
    """Store the images in the job's packaging, and return their manifest lines."""

    def put(key: str, data: bytes, content_type: str) -> None:
        device.store.put(key, data, content_type)
        held.advance()

    folder = keys.cell_folder(lease.tenant, lease.job, lease.first, lease.token)
    if record.packaging == "files":
        return as_files(put, folder, request, files)
    return as_tar(put, folder, request, files, with_lines=record.spec.output.packaging == "webdataset")


def _report(device: Device, record: JobRecord, lease: Lease, manifest: bytes) -> bool:
    """Report the images of the lease and publish their manifest. Returns whether the images count.

    Tries again while a service does not answer, so that the images are not lost.
    """
    for attempt in _attempts(device):
        with attempt:
            counted = report(device.store, device.ledger, record, lease, manifest)
    if attempt.retry_state.attempt_number > 1:  # it may have been counted, and its order swept, before
        _settle_if_ended(device, lease)
    return counted


def _attempts(device: Device) -> Retrying:
    """Return attempts that are repeated for ``lease_seconds`` while a service does not answer."""
    return Retrying(
        retry=retry_if_exception(lambda e: isinstance(e, Unavailable) and not isinstance(e, LedgerLost)),
        stop=stop_after_delay(device.settings.lease_seconds),
        wait=wait_fixed(0.5),
        reraise=True,
    )


def _blame(device: Device, lease: Lease, error: Exception) -> None:
    """Report a failed lease to the ledger if the images of the lease caused the error.

    If the worker caused the error, gives the lease back without a strike, and records the worker's fault.
    """
    at_fault = device.condition.is_at_fault(error, device.loaded_model(lease))
    failures.labels(_kind(error) if at_fault else "images").inc()
    if at_fault:
        _return(device, lease)
        device.condition.fault(error)
        return
    leases_ended.labels("failed").inc()
    with suppress(Unavailable):
        device.ledger.fail(lease.token, str(error))


def _kind(error: Exception) -> str:
    """Return the metrics' name for an error that the worker caused: ``memory``, ``disk`` or ``device``."""
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and is_out_of_memory(error)):
        return "memory"
    return "disk" if isinstance(error, OSError) else "device"


def _return(device: Device, lease: Lease) -> None:
    leases_ended.labels("returned").inc()
    with suppress(ProdgenError):
        device.ledger.release(lease.token)
        _settle_if_ended(device, lease)


def _settle_if_ended(device: Device, lease: Lease) -> None:
    """Settle the job of a lease again if the job has ended, to delete the images of this late lease.

    If Redis or the store does not answer, the worker tries again: no other process deletes these images.
    """
    for attempt in _attempts(device):
        with attempt:
            progress = device.ledger.progress(lease.job)
            if progress and progress.state in TERMINAL:
                settle_job(device.store, device.ledger, device.job(lease.tenant, lease.job)[0])
