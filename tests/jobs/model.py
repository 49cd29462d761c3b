"""The ledger once more, in plain Python: what it must answer, whatever order things happen in."""

import json
from collections import Counter
from dataclasses import dataclass, field

from prodgen.jobs.record import JobControl, JobRecord
from prodgen.ledger.entries import Lease, Queue, State
from prodgen.storage import keys
from tests.ledger.memory import MemoryStore


@dataclass
class Job:
    record: JobRecord
    poison: bool = False
    known: bool = False
    state: State = "queued"
    paused: bool = False
    priority: Queue | None = None
    done: set[int] = field(default_factory=set)
    dead: set[int] = field(default_factory=set)
    suspects: set[int] = field(default_factory=set)
    strikes: Counter[int] = field(default_factory=Counter)
    end: bytes | None = None
    retries: int = 0
    late: bool = False

    @property
    def queue(self) -> Queue:
        return self.priority or self.record.spec.priority

    def images(self, cells: set[int]) -> int:
        return sum(len(self.record.indices(cell, 1)) for cell in cells)

    def conclude(self) -> None:
        if self.state in ("queued", "running") and len(self.done) + len(self.dead) == self.record.cells:
            self.state = "finishing"


@dataclass
class Held:
    lease: Lease
    worker: str


def cells(lease: Lease) -> set[int]:
    return set(range(lease.first, lease.first + lease.cells))


class Model:
    def __init__(self) -> None:
        self.open = True
        self.jobs: dict[str, Job] = {}
        self.leases: dict[str, Held] = {}
        self.won: set[str] = set()

    def of_worker(self, worker: str) -> list[Lease]:
        return [held.lease for held in self.leases.values() if held.worker == worker]

    def is_poison(self, lease: Lease) -> bool:
        """The first cell of some orders always fails."""
        return self.jobs[lease.job].poison and lease.first == 0

    def running(self, queue: Queue) -> list[Job]:
        return [
            job
            for job in self.jobs.values()
            if job.known and job.queue == queue and job.state in ("queued", "running")
        ]

    def owed(self, job: Job) -> set[int]:
        """Cells that may be given away."""
        return set() if job.paused else self.untaken(job)

    def untaken(self, job: Job) -> set[int]:
        """Cells of a running job that no lease holds."""
        if not job.known or job.state not in ("queued", "running"):
            return set()
        leased = [cells(h.lease) for h in self.leases.values() if h.lease.job == job.record.id]
        return set(range(job.record.cells)) - job.done - job.dead - set().union(*leased)

    def give(self, worker: str, queue: Queue, lease: Lease | None) -> None:
        held = self.of_worker(worker)
        if lease is None:
            some = [job for job in self.running(queue) if self.owed(job)]
            assert held or not some, "an idle worker was sent away from work"
            return
        job = self.jobs[lease.job]
        assert lease.cells >= 1
        assert lease.tenant == job.record.tenant
        assert cells(lease) <= self.owed(job), "a cell is held twice, or was made already"
        assert not any(other.alone for other in held), "something runs beside a suspect"
        if lease.alone:
            assert cells(lease) <= job.suspects
            assert not held, "a suspect runs beside something"
        else:
            assert not cells(lease) & job.suspects, "a suspect runs in company"
            assert job.queue == queue
        assert lease.queue == job.queue
        self.leases[lease.token] = Held(lease, worker)
        job.state = "running"

    def _take_back(self, token: str) -> tuple[Lease, Job] | None:
        held = self.leases.pop(token, None)
        job = held and self.jobs[held.lease.job]
        return (held.lease, job) if held and job and job.state == "running" else None

    def complete(self, token: str) -> bool:
        if token in self.won:
            return True
        if (found := self._take_back(token)) is None:
            return False
        lease, job = found
        job.done |= cells(lease)
        job.suspects -= cells(lease)
        for cell in cells(lease):
            job.strikes.pop(cell, None)
        self.won.add(token)
        job.conclude()
        return True

    def release(self, token: str) -> None:
        self._take_back(token)

    def fail(self, token: str) -> None:
        if found := self._take_back(token):
            self._blame(*found, strike=found[0].cells == 1)

    def expire(self, token: str) -> None:
        if found := self._take_back(token):
            self._blame(*found, strike=found[0].alone and found[0].cells == 1)

    def _blame(self, lease: Lease, job: Job, strike: bool) -> None:
        for cell in cells(lease):
            job.suspects.add(cell)
            job.strikes[cell] += strike
            if job.strikes[cell] >= 3:
                job.suspects.discard(cell)
                job.dead.add(cell)
        job.conclude()

    def pass_deadlines(self) -> int:
        """Set the cells of late jobs aside that no lease holds; how many."""
        count = 0
        for job in (job for job in self.jobs.values() if job.late):
            aside = self.untaken(job)
            job.dead |= aside
            job.suspects -= aside
            count += len(aside)
            if aside:
                job.conclude()
        return count

    def cancel(self, job: Job) -> State | None:
        if not job.known:
            return None
        if job.state in ("queued", "running"):
            job.state = "cancelled"
        return job.state

    def wipe(self) -> None:
        self.open = False
        self.leases.clear()
        self.won.clear()

    def recovered(self, store: MemoryStore) -> None:
        """After a recovery: ends stand, counted images are counted still, and dead cells get a chance."""
        self.open = True
        for job in self.jobs.values():
            job.known = True
            job.suspects, job.strikes = set(), Counter()
            if job.end:
                job.state = json.loads(job.end)["state"]
                continue
            done = published(store, job.record)
            assert job.images(done) >= job.images(job.done), "made images were forgotten"
            self.entered(job, control_of(store, job.record), done)

    def entered(self, job: Job, control: JobControl, done: set[int]) -> None:
        """A job is entered, or its retry, with what is made; its dead cells get a chance."""
        job.known, job.retries = True, control.retries
        job.paused, job.priority = control.paused, control.priority
        job.suspects, job.strikes, job.late = set(), Counter(), False
        job.done, job.dead = done, set()
        job.state = "running" if done else "queued"
        job.conclude()


def control_of(store: MemoryStore, record: JobRecord) -> JobControl:
    """control.json."""
    written = store.objects.get(keys.job(record.tenant, record.id, "control.json"))
    return JobControl.model_validate_json(written or b"{}")


def published(store: MemoryStore, record: JobRecord) -> set[int]:
    """The cells that manifests hold, each of them once, with every object that they name."""
    prefix = keys.job(record.tenant, record.id, "manifest/")
    indices: list[int] = []
    for key in [key for key in store.objects if key.startswith(prefix)]:
        lines = [json.loads(line) for line in store.objects[key].splitlines()]
        assert all(line["object"] in store.objects for line in lines), "a delivered image is not there"
        indices += [line["index"] for line in lines]
    assert len(set(indices)) == len(indices), "an image is delivered twice"
    found = {index // 64 for index in indices}
    assert sum(len(record.indices(cell, 1)) for cell in found) == len(indices), "a cell is delivered in part"
    return found
