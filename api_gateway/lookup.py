"""Finding a caller's job, in the ledger or, should that have forgotten it, in the store."""

import re

from api_gateway.services import Services
from prodgen.errors import NotFound
from prodgen.jobs.files import find_record, load_state
from prodgen.jobs.record import JobRecord
from prodgen.ledger.entries import Progress

_ID = re.compile(r"[0-9a-f]{24}")


def find_job(here: Services, tenant: str, job: str) -> Progress:
    """Where the job stands; raises NotFound for an unknown one and for another tenant's alike."""
    if _ID.fullmatch(job):
        progress = here.ledger.progress(job)
        if progress is None:
            record = find_record(here.store, tenant, job)
            progress = _from_store(here, record) if record else None
        if progress and progress.tenant == tenant:
            return progress
    raise unknown(job)


def find_order(here: Services, tenant: str, job: str) -> JobRecord:
    """What was ordered; raises NotFound as `find_job` does."""
    record = find_record(here.store, tenant, job) if _ID.fullmatch(job) else None
    if record is None:
        raise unknown(job)
    return record


def unknown(job: str) -> NotFound:
    """The answer for a job that does not exist, or is none of the caller's business."""
    return NotFound(f"there is no job {job[:64]!r}", param="job")


def _from_store(here: Services, record: JobRecord) -> Progress:
    """A ledger that lost its last moments has yet to hear of this job from the maintenance."""
    state = load_state(here.store, record)
    return Progress(
        id=record.id,
        tenant=record.tenant,
        queue=record.spec.priority,
        state=state.state if state else "queued",
        total=record.total,
        done=state.done if state else 0,
        dead=state.dead if state else [],
        error=state.error if state else None,
        created=record.created.timestamp(),
        updated=(state.finished if state else record.created).timestamp(),
    )
