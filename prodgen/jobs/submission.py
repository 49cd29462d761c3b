"""Place an order: check it, write its job into the store, and enter the job into the ledger."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from prodgen import traces
from prodgen.errors import Conflict, NotFound, ProdgenError
from prodgen.jobs.control import enter_job
from prodgen.jobs.deletion import DeletedJobs
from prodgen.jobs.items import Index, stored_items, uploaded_items, write_items
from prodgen.jobs.limits import check_total, check_waiting
from prodgen.jobs.photographs import check_spec, checked_items
from prodgen.jobs.public_http import check_url
from prodgen.jobs.quotas import admit
from prodgen.jobs.record import JobRecord, Replaces, find_record, load_state, request_digest
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.locks import lock
from prodgen.ledger.scripts import LedgerLost
from prodgen.registry.versions import Version, load_quality, resolve
from prodgen.settings import Settings
from prodgen.spec.model_config import STUDIO
from prodgen.spec.names import stable_id
from prodgen.spec.order import JobSpec, RowParser
from prodgen.spec.prompt import read_order
from prodgen.storage import keys
from prodgen.storage.base import Store, in_threads
from prodgen.tenants import grant_of

FILES_IMAGES = 512
"""The most images of a job that ``packaging: auto`` stores as one object an image."""


def submit(
    store: Store,
    ledger: Ledger,
    settings: Settings,
    tenant: str,
    spec: JobSpec,
    idempotency_key: str,
    *,
    request_id: str | None = None,
    replaces: Replaces | None = None,
    again_of: str | None = None,
) -> tuple[JobRecord, bool]:
    """Place an order. Returns the job, and whether this call has created it.

    ``replaces``: the rejected images that the order makes again. ``again_of``: the job whose order is placed
    again with another version; its stored items are read, because the uploaded file may be deleted.

    A call with the key and the order of an earlier call returns the earlier job, and completes the earlier
    call if its process died. Raises Conflict if the key belongs to a different order. Writes nothing unless
    the model can make the whole order.
    """
    if ledger.epoch() is None:
        raise LedgerLost
    job, digest = stable_id(tenant, idempotency_key), request_digest(spec)
    if earlier := find_record(store, tenant, job):
        return resubmit(store, ledger, earlier, same=earlier.request_digest == digest), False
    version, grant = resolve(store, spec.model, tenant), grant_of(store, tenant)
    spec, reading = read_order(spec, version.config)
    with (
        traces.span("order.submit", None, {"tenant": tenant, "job": job}),
        TemporaryDirectory(prefix="prodgen-items-") as folder,
    ):
        path = Path(folder) / "items.jsonl"
        index, total = _check(store, settings, tenant, spec, version, path, again_of)
        check_waiting(settings, ledger, tenant, spec.priority)
        packaging = spec.output.packaging
        if packaging == "auto":
            packaging = "files" if total <= FILES_IMAGES else "tar"
        elif packaging != "files":
            packaging = "tar"
        record = JobRecord(
            id=job,
            tenant=tenant,
            created=datetime.now(UTC),
            spec=spec.model_copy(update={"items": None, "pictures": index is not None and index.pictures}),
            model=version.id,
            model_prefix=version.prefix,
            total=total,
            packaging=packaging,
            items=index is not None,
            keep=spec.keep or grant.keep,
            photographs=version.config.family == STUDIO,
            reading=reading,
            replaces=replaces,
            again_of=again_of,
            quality=load_quality(store, version) if spec.quality_gate else None,
            request_digest=digest,
            request_id=request_id,
            traceparent=traces.traceparent(),
        )
        with lock(ledger, job):
            if earlier := find_record(store, tenant, job):
                return resubmit(store, ledger, earlier, same=earlier.request_digest == digest), False
            _check_deleted(store, tenant, job)
            admit(ledger, tenant, job, total, grant)
            with traces.span("order.store"):
                _write(store, record, index, path)
            ledger.submit(record.entry(grant.weight))
    return record, True


def quote(
    store: Store, ledger: Ledger, settings: Settings, tenant: str, spec: JobSpec
) -> tuple[int, float | None]:
    """Return the number of images of an order, and the seconds until they are made; write nothing.

    The estimate assumes that all images that wait in the order's queue are made first. The seconds are None
    if no worker is alive, or if no worker has made images of the model yet. Raises the errors of `submit`
    for a faulty order.
    """
    version = resolve(store, spec.model, tenant)
    spec, _ = read_order(spec, version.config)
    with TemporaryDirectory(prefix="prodgen-items-") as folder:
        _, total = _check(store, settings, tenant, spec, version, Path(folder) / "items.jsonl")
    rates = ledger.rates()
    if version.id not in rates.by_model:
        return total, None
    return total, rates.wait([*ledger.backlog(spec.priority).models.items(), (version.id, total)])


def _check(
    store: Store,
    settings: Settings,
    tenant: str,
    spec: JobSpec,
    version: Version,
    path: Path,
    again_of: str | None = None,
) -> tuple[Index | None, int]:
    """Check an order, and write its items to ``path``. Raises ProdgenError for a faulty order.

    Returns the index of the items (None for an order without items), and the number of images.
    """
    check_spec(spec, version.config)
    if spec.quality_gate:
        load_quality(store, version)
    if spec.finish_by and spec.finish_by <= datetime.now(UTC):
        raise ProdgenError(f"finish_by {spec.finish_by} is in the past; name a later time", param="finish_by")
    index = _write_items(store, tenant, spec, version, path, again_of)
    total = index.total if index else RowParser(spec, version.config.attributes).single().total
    if spec.webhook:
        check_url(spec.webhook, private=settings.webhook_private)
    check_total(settings, spec.priority, total)
    return index, total


def _write_items(
    store: Store, tenant: str, spec: JobSpec, version: Version, path: Path, again_of: str | None
) -> Index | None:
    """Check the items of an order and write them to ``path``.

    Returns the index of the items, or None for an order without items. Raises ProdgenError for faulty items.
    """
    schema = version.config.attributes
    if spec.upload is None:
        if spec.columns is not None:
            raise ProdgenError("columns are of an uploaded file; name the file as upload", param="columns")
        if spec.items is not None:
            items = checked_items(store, tenant, spec, version.config, spec.items)
            return write_items(items, spec, schema, path)
        if spec.seed_from == "sku":
            raise ProdgenError("seed_from 'sku' needs items or an upload with SKUs", param="seed_from")
        return None
    if spec.items is not None:
        raise ProdgenError("an order has items or an upload, not both", param="upload")
    if again_of:
        with stored_items(store, tenant, again_of) as stored:
            return write_items(checked_items(store, tenant, spec, version.config, stored), spec, schema, path)
    names = [one.name for one in (*schema.attributes, *schema.directions)]
    try:
        with uploaded_items(store, keys.upload(tenant, spec.upload), names, spec.columns) as rows:
            items = checked_items(store, tenant, spec, version.config, rows)
            return write_items(items, spec, schema, path)
    except NotFound:
        raise NotFound(
            f"there is no upload {spec.upload}; send the file to /v1/uploads first", param="upload"
        ) from None


def _check_deleted(store: Store, tenant: str, job: str) -> None:
    if deletion := DeletedJobs(store).deleted(tenant, job):
        raise Conflict(
            f"the order of this idempotency key, job {job}, is deleted; use a new key for a new order"
            + ("" if deletion.wanted == "purged" else ", or restore the job"),
            param="Idempotency-Key",
        )


def _write(store: Store, record: JobRecord, index: Index | None, items: Path) -> None:
    """Write the files of a job. Writes job.json last, so that a job with a job.json is complete."""
    if index:
        key = partial(keys.job, record.tenant, record.id)
        data = index.model_dump_json(exclude_defaults=True).encode()
        writes = (
            partial(store.put_file, key("items.jsonl"), items, "application/jsonl"),
            partial(store.put, key("items.index.json"), data, "application/json"),
        )
        list(in_threads(lambda write: write(), writes))  # at once, because a person waits for each flush
    data = record.model_dump_json(indent=1).encode()
    store.put(keys.job(record.tenant, record.id, "job.json"), data, "application/json")


def resubmit(store: Store, ledger: Ledger, record: JobRecord, *, same: bool) -> JobRecord:
    """Return ``record``, the job of an earlier request with the same key; enter it into the ledger if needed.

    ``same``: whether both requests ask for the same order; raises Conflict if not.
    """
    if not same:
        raise Conflict(
            "this idempotency key belongs to a different order; use a new key for a new order",
            param="Idempotency-Key",
        )
    if load_state(store, record) is None:
        enter_job(store, ledger, record)
    return record
