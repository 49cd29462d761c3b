"""Turns an order into a job. The CLI, HTTP and Python all place orders through `submit`."""

from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import TypeAdapter

from prodgen.errors import Conflict, NotFound, ProdgenError
from prodgen.jobs.files import find_record, load_state
from prodgen.jobs.order_file import read_order
from prodgen.jobs.record import JobRecord, request_digest
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.locks import lock
from prodgen.ledger.scripts import LedgerLost
from prodgen.registry import Version, load_config, resolve
from prodgen.settings import Settings
from prodgen.spec.names import stable_id
from prodgen.spec.order import Expansion, Item, JobSpec
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.tenants import tenant_weight

INTERACTIVE_IMAGES = 64
"""The most images of an interactive order."""
FILES_IMAGES = 512
"""The most images of a job that ``packaging: auto`` stores as one object an image."""

_Items = TypeAdapter(list[Item])


@dataclass(frozen=True)
class _Checked:
    """An order that can be made. Nothing is written yet."""

    version: Version
    items: list[Item] | None
    total: int


def submit(
    store: Store,
    ledger: Ledger,
    settings: Settings,
    tenant: str,
    spec: JobSpec,
    idempotency_key: str,
    *,
    request_id: str | None = None,
) -> tuple[JobRecord, bool]:
    """Place an order. Returns its job, and whether the job is new.

    The same key with the same order returns the first job, and enters it if the first call died half way. The
    same key with another order raises Conflict. Nothing is written unless the whole order can be made.
    """
    if ledger.epoch() is None:
        raise LedgerLost
    job = stable_id(tenant, idempotency_key)
    if record := find_record(store, tenant, job):
        return _resubmit(store, ledger, record, spec), False
    checked = _check(store, settings, tenant, spec)
    with lock(ledger, job):
        if record := find_record(store, tenant, job):
            return _resubmit(store, ledger, record, spec), False
        record = _write(store, tenant, job, spec, checked, request_id)
        ledger.submit(record.entry(tenant_weight(store, tenant)))
        return record, True


def load_images(store: Store, record: JobRecord) -> Expansion:
    """Return the images of a job: a sequence that maps each index to its image."""
    items = None
    if record.items:
        data = store.get(keys.job(record.tenant, record.id, "items.jsonl"))
        items = _Items.validate_json(b"[" + b",".join(data.splitlines()) + b"]")  # one parse is the fastest
    return Expansion(record.spec, items, load_config(store, record.model_prefix).attributes)


def _check(store: Store, settings: Settings, tenant: str, spec: JobSpec) -> _Checked:
    version = resolve(store, spec.model, tenant)
    items = spec.items if spec.upload is None else _uploaded(store, tenant, spec, spec.upload, version)
    if spec.seed_from == "sku" and items is None:
        raise ProdgenError("seed_from 'sku' needs items or an upload with SKUs", param="seed_from")
    total = Expansion(spec, items, version.config.attributes).total
    if total > settings.max_images_per_job:
        raise ProdgenError(
            f"this order asks for {total:,} images; one job makes at most {settings.max_images_per_job:,}",
            param="count",
        )
    if spec.priority == "interactive" and total > INTERACTIVE_IMAGES:
        raise ProdgenError(
            f"this order asks for {total:,} images; an interactive one makes at most {INTERACTIVE_IMAGES}:"
            " order it with priority 'bulk'",
            param="priority",
        )
    return _Checked(version, items, total)


def _uploaded(store: Store, tenant: str, spec: JobSpec, digest: str, version: Version) -> list[Item]:
    if spec.items is not None:
        raise ProdgenError("an order has items or an upload, not both", param="upload")
    try:
        data = store.get(keys.upload(tenant, digest))
    except NotFound:
        raise NotFound(
            f"there is no upload {digest}; send the file to /v1/uploads first", param="upload"
        ) from None
    return read_order(data, [attribute.name for attribute in version.config.attributes.attributes])


def _write(
    store: Store, tenant: str, job: str, spec: JobSpec, checked: _Checked, request_id: str | None
) -> JobRecord:
    """Write items.jsonl first and job.json last, so that a job that can be seen is complete."""
    packaging = spec.output.packaging
    if packaging == "auto":
        packaging = "files" if checked.total <= FILES_IMAGES else "tar"
    record = JobRecord(
        id=job,
        tenant=tenant,
        created=datetime.now(UTC),
        spec=spec.model_copy(update={"items": None}),
        model=checked.version.ref,
        model_prefix=checked.version.prefix,
        total=checked.total,
        packaging=packaging,
        items=checked.items is not None,
        request_digest=request_digest(spec),
        request_id=request_id,
    )
    if checked.items is not None:
        lines = b"".join(
            item.model_dump_json(exclude_defaults=True).encode() + b"\n" for item in checked.items
        )
        store.put(keys.job(tenant, job, "items.jsonl"), lines, "application/jsonl")
    data = record.model_dump_json(indent=1).encode()
    store.put(keys.job(tenant, job, "job.json"), data, "application/json")
    return record


def _resubmit(store: Store, ledger: Ledger, record: JobRecord, spec: JobSpec) -> JobRecord:
    """Return the job that the key already has, and enter it in the ledger unless it has ended."""
    if record.request_digest != request_digest(spec):
        raise Conflict(
            "this idempotency key belongs to a different order; use a new key for a new order",
            param="Idempotency-Key",
        )
    if load_state(store, record) is None:
        ledger.submit(record.entry(tenant_weight(store, record.tenant)))
    return record
