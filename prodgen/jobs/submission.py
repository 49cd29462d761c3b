"""The one way by which an order becomes a job."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import TypeAdapter

from prodgen.errors import Conflict, NotFound, ProdgenError
from prodgen.jobs.manifests import load_record, load_state
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

INTERACTIVE_IMAGES = 64
"""The largest order that a person may wait for."""
FILES_IMAGES = 512
"""The largest order that ``packaging: auto`` stores as one object an image."""

_Items = TypeAdapter(list[Item])


@dataclass(frozen=True)
class _Checked:
    """An order that can be made, before anything is written."""

    version: Version
    items: list[Item] | None
    total: int


def submit(
    store: Store, ledger: Ledger, settings: Settings, tenant: str, spec: JobSpec, idempotency_key: str
) -> tuple[JobRecord, bool]:
    """The job of this order, and whether it is new.

    The same key with the same order gives the first job, entered if the first attempt died half way; with
    another order it raises Conflict. Nothing is written unless the whole order can be made.
    """
    if ledger.epoch() is None:
        raise LedgerLost
    job = stable_id(tenant, idempotency_key)
    if record := find_record(store, tenant, job):
        return _again(store, ledger, record, spec), False
    checked = _check(store, settings, tenant, spec)
    with lock(ledger, job):
        if record := find_record(store, tenant, job):
            return _again(store, ledger, record, spec), False
        record = _write(store, tenant, job, spec, checked)
        ledger.submit(record.entry())
        return record, True


def find_record(store: Store, tenant: str, job: str) -> JobRecord | None:
    """job.json of the tenant's job, if there is such a job."""
    with suppress(NotFound):
        return load_record(store, tenant, job)
    return None


def load_images(store: Store, record: JobRecord) -> Expansion:
    """Which image each index of the job is."""
    items = None
    if record.items:
        data = store.get(keys.job(record.tenant, record.id, "items.jsonl"))
        items = _Items.validate_json(b"[" + b",".join(data.splitlines()) + b"]")  # one parse is the quickest
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


def _write(store: Store, tenant: str, job: str, spec: JobSpec, checked: _Checked) -> JobRecord:
    """Items first, then job.json: a job that can be seen is whole."""
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
    )
    if checked.items is not None:
        lines = b"".join(
            item.model_dump_json(exclude_defaults=True).encode() + b"\n" for item in checked.items
        )
        store.put(keys.job(tenant, job, "items.jsonl"), lines, "application/jsonl")
    store.put(
        keys.job(tenant, job, "job.json"), record.model_dump_json(indent=1).encode(), "application/json"
    )
    return record


def _again(store: Store, ledger: Ledger, record: JobRecord, spec: JobSpec) -> JobRecord:
    """The job that this order's key already has, owed unless it has ended."""
    if record.request_digest != request_digest(spec):
        raise Conflict(
            "this idempotency key belongs to a different order; use a new key for a new order",
            param="Idempotency-Key",
        )
    if load_state(store, record) is None:
        ledger.submit(record.entry())
    return record
