"""Reads the files of a job from the store."""

from contextlib import suppress

from prodgen.errors import NotFound
from prodgen.jobs.record import JobRecord
from prodgen.ledger.entries import JobState
from prodgen.storage import keys
from prodgen.storage.base import Store


def load_record(store: Store, tenant: str, job: str) -> JobRecord:
    """Read job.json: what was ordered. Raises NotFound."""
    return JobRecord.model_validate_json(store.get(keys.job(tenant, job, "job.json")))


def find_record(store: Store, tenant: str, job: str) -> JobRecord | None:
    """Read job.json, or return None if the tenant has no such job."""
    with suppress(NotFound):
        return load_record(store, tenant, job)
    return None


def load_state(store: Store, record: JobRecord) -> JobState | None:
    """Read state.json: how the job ended. Returns None while the job has not ended."""
    with suppress(NotFound):
        return JobState.model_validate_json(store.get(keys.job(record.tenant, record.id, "state.json")))
    return None
