"""Find a tenant's jobs and runs: in Redis or, if Redis has lost them, in the store.

An unknown id and an id of another tenant raise the same NotFound.
"""

from datetime import UTC, datetime
from typing import Any

from api_gateway.deployment import Deployment
from api_gateway.requests import ID
from api_gateway.schemas import JobDetails, RunDetails
from prodgen.errors import NotFound
from prodgen.jobs import record as job_records
from prodgen.jobs.deletion import DeletedJobs
from prodgen.jobs.manifests import deleted_images
from prodgen.jobs.record import JobRecord
from prodgen.jobs.time_left import time_left
from prodgen.ledger.entries import TERMINAL, Progress
from prodgen.ledger.roster import Roster
from prodgen.ledger.run_entries import RunStatus
from prodgen.runs import files as run_files
from prodgen.runs.deletion import DeletedRuns
from prodgen.runs.record import RunRecord
from prodgen.trash import Deletion


def find_progress(deployment: Deployment, tenant: str, job: str) -> Progress:
    """Return the state and the counts of a job. Raises NotFound if the tenant has no such job."""
    if ID.fullmatch(job):
        progress = deployment.ledger.progress(job)
        if progress is None and (record := job_records.find_record(deployment.store, tenant, job)):
            progress = _stored_progress(deployment, record)
        if progress and progress.tenant == tenant:
            return progress
    raise _no_job(deployment, tenant, job)


def find_job_record(deployment: Deployment, tenant: str, job: str) -> JobRecord:
    """Return the record of a job. Raises NotFound if the tenant has no such job, or has deleted it."""
    record = job_records.find_record(deployment.store, tenant, job) if ID.fullmatch(job) else None
    if record is None:
        raise _no_job(deployment, tenant, job)
    return record


def job_details(deployment: Deployment, record: JobRecord) -> JobDetails:
    """Return the present state of a job, with its order."""
    progress = find_progress(deployment, record.tenant, record.id)
    fields = {
        "model": record.model,
        "packaging": record.packaging,
        "request": record.spec,
        "reading": record.reading,
        "replaces": record.replaces,
        "again_of": record.again_of,
        **time_left(deployment.ledger, progress)._asdict(),
    }
    ended = datetime.fromtimestamp(progress.updated, UTC) if progress.state in TERMINAL else None
    state = job_records.load_state(deployment.store, record) if ended else None
    control = job_records.load_control(deployment.store, record)
    fields |= {"expires": ended and record.expires(ended, control), "root": state and state.root}
    fields |= {"deleted": len(deleted_images(deployment.store, record)) if state else 0}
    return JobDetails.of(progress, **fields, keep=record.kept(control))


def check_id(job: str) -> None:
    """Raise NotFound if the text does not have the form of a job's id. Does not look for the job."""
    if not ID.fullmatch(job):
        raise NotFound(f"there is no job {job[:64]!r}", param="job")


def find_run_record(deployment: Deployment, tenant: str, run: str) -> RunRecord:
    """Return the record of a run. Raises NotFound if the tenant has no such run, or has deleted it."""
    check_run_id(run)
    if record := run_files.find_record(deployment.store, tenant, run):
        return record
    deletion = DeletedRuns(deployment.store).deleted(tenant, run)
    if deletion is None:
        raise NotFound(f"there is no training run {run!r}", param="run")
    raise NotFound(f"run {run} is deleted{_restorable(deletion)}", param="run")


def check_run_id(run: str) -> None:
    """Raise NotFound if the text does not have the form of a run's id. Does not look for the run."""
    if not ID.fullmatch(run):
        raise NotFound(f"there is no training run {run[:64]!r}", param="run")


def run_status(deployment: Deployment, record: RunRecord) -> RunStatus:
    """Return the present state of a run."""
    if status := Roster(deployment.ledger).status(record.id):
        return status
    end = run_files.load_end(deployment.store, record)
    step, restarts = run_files.step_and_restarts(
        end or run_files.newest_checkpoint(deployment.store, record.tenant, record.id)
    )
    created = record.created.timestamp()
    return RunStatus(
        id=record.id,
        tenant=record.tenant,
        title=record.title,
        state=end.state if end else "queued",
        step=step,
        steps=record.steps,
        restarts=restarts,
        command="",
        error=end.error if end else None,
        created=created,
        updated=end.finished.timestamp() if end else created,
    )


def run_details(deployment: Deployment, record: RunRecord) -> RunDetails:
    """Return the present state of a run, with its request and its result."""
    status, end = run_status(deployment, record), run_files.load_end(deployment.store, record)
    fields = {name: getattr(record, name) for name in ("name", "data", "source", "recipe")}
    fields |= {"model": end and end.model, "dataset": end and end.dataset, "request": record.spec}
    if end and end.state == status.state and end.metrics:
        fields["metrics"] = end.metrics
    return RunDetails.of(status, **fields)


def _no_job(deployment: Deployment, tenant: str, job: str) -> NotFound:
    """Return the error that says that a job does not exist, or that it is deleted."""
    check_id(job)
    deletion = DeletedJobs(deployment.store).deleted(tenant, job)
    if deletion is None:
        return NotFound(f"there is no job {job!r}", param="job")
    return NotFound(f"job {job} is deleted{_restorable(deletion)}", param="job")


def _restorable(deletion: Deletion[Any]) -> str:
    """Return the end of an error message: until when the deleted job or run can be restored, or ``""``."""
    until = deletion.restorable_until
    return f"; it can be restored until {until:%F %R} UTC" if until else ""


def _stored_progress(deployment: Deployment, record: JobRecord) -> Progress:
    state = job_records.load_state(deployment.store, record)
    control = job_records.load_control(deployment.store, record)
    return Progress(
        id=record.id,
        tenant=record.tenant,
        queue=record.queue(control),
        state=state.state if state else "paused" if control.paused else "queued",
        total=record.total,
        done=state.done if state else 0,
        failed=sum(len(record.indices(cell, 1)) for cell in state.dead) if state else 0,
        error=state.error if state else None,
        created=record.created.timestamp(),
        updated=(state.finished if state else record.created).timestamp(),
        model=record.model,
        retries=control.retries,
    )
