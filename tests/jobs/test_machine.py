"""Orders, workers, zombies, kills and wipes in any order: nothing is lost, and nothing counted twice.

PRODGEN_EXAMPLES sets how many random histories are tried; without it the same 40 are tried each time.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from prodgen import recovery
from prodgen.errors import Conflict
from prodgen.jobs import ending
from prodgen.jobs.control import change_job, enter_job, retry_job
from prodgen.jobs.ending import discard, report
from prodgen.jobs.record import RETRYABLE
from prodgen.ledger.entries import TERMINAL, JobEntry, JobState, Lease, Queue, State
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.scripts import LedgerLost
from prodgen.settings import Settings
from prodgen.storage import base, keys
from tests.jobs.model import Job, Model, control_of, published
from tests.jobs.workshop import new_record, paint, write_order
from tests.ledger.conftest import DATABASE
from tests.ledger.memory import MemoryStore

if TYPE_CHECKING:
    from tests.servers.valkey import ValkeyServer

picks = st.integers(0, 999)
incidents = st.sampled_from(
    ["nothing", "nothing", "nothing", "die", "wipe", "wipe and recover", "expire", "maintain", "cancel"]
)
orders = st.fixed_dictionaries(
    {
        "total": st.sampled_from([1, 65, 200, 256, 500]),
        "tenant": st.sampled_from(["ada", "bob"]),
        "queue": st.sampled_from(["bulk", "interactive"]),
        "packaging": st.sampled_from(["files", "tar"]),
        "gateway_dies": st.sampled_from([False, False, True]),
        "poison": st.sampled_from([False, False, True]),
        "deadline": st.sampled_from([False, False, True]),
    }
)


class Killed(BaseException):
    """kill -9."""


class Interrupted:
    """The ledger, with an incident before its n-th call.

    None comes between a look at the epoch and the write after it: see the end of `prodgen.recovery`.
    """

    def __init__(self, ledger: Ledger, point: int, incident: Callable[[], None], **own: Callable[..., Any]):
        self._ledger, self._point, self._incident, self._own = ledger, point, incident, own

    def __getattr__(self, name: str) -> Any:
        if not callable(getattr(self._ledger, name)):
            return getattr(self._ledger, name)

        def call(*arguments: Any) -> Any:
            self._point -= 1
            if self._point == -1:
                self._incident()
            return self._own.get(name, getattr(self._ledger, name))(*arguments)

        return call


class Deployment(RuleBasedStateMachine):
    client: redis.Redis

    @initialize(orders=st.lists(orders, min_size=1, max_size=2))
    def start(self, orders: list[dict[str, Any]]) -> None:
        self.client.flushdb()
        self.store, self.model = MemoryStore(), Model()
        self.store.put("shared/models/bags/1/config.json", b"{}")
        self.ledger = Ledger(self.client, lease_seconds=3600)
        self.given: list[Lease] = []
        self.reported: set[str] = set()
        self.gone: set[str] = set()
        self.ledger.open(self.ledger.begin_recovery() or "")
        for order in orders:
            self.order(order)

    # What happens

    @precondition(lambda self: len(self.model.jobs) < 5)
    @rule(order=orders)
    def order(self, order: dict[str, Any]) -> None:
        number = len(self.model.jobs)
        said = {name: order[name] for name in ("total", "tenant", "queue", "packaging")}
        record = new_record(f"job{number}", age=-number, **said)
        if order["deadline"]:
            spec = record.spec.model_copy(update={"finish_by": datetime(2099, 1, 1, tzinfo=UTC)})
            record = record.model_copy(update={"spec": spec})
        job = Job(record, poison=order["poison"])
        self.model.jobs[job.record.id] = job
        write_order(self.store, job.record)
        if not order["gateway_dies"]:
            self.submit(job)

    @rule(
        worker=st.sampled_from(["w1", "w2", "w3"]),
        queue=st.sampled_from(["bulk", "interactive"]),
        images=st.sampled_from([1, 128, 200]),
        deed=st.sampled_from(
            ["report", "report", "report", "vanish", "vanish", "paint a part", "fail", "fail"]
        ),
    )
    def work(self, worker: str, queue: Any, images: int, deed: str) -> None:
        lease = self.lease(worker, queue, images)
        if lease:
            self.do("fail" if self.model.is_poison(lease) else deed, lease)

    @precondition(lambda self: self.given)
    @rule(
        pick=picks,
        deed=st.sampled_from(["report", "report", "paint", "paint a part", "fail", "release", "discard"]),
        incident=incidents,
        point=st.integers(0, 2),
        dies_at=st.none() | st.integers(0, 3),
    )
    def work_on(self, pick: int, deed: str, incident: str, point: int, dies_at: int | None) -> None:
        """On a lease that may be over long ago."""
        held = [held.lease for held in self.model.leases.values()]
        leases = held if held and pick % 2 else self.given
        self.do(deed, leases[pick // 2 % len(leases)], point, self.incident(incident, pick), dies_at)

    @rule(what=st.sampled_from(["expire", "expire", "expire all", "submit", "cancel", "wipe"]), pick=picks)
    def trouble(self, what: str, pick: int) -> None:
        job = list(self.model.jobs.values())[pick % len(self.model.jobs)]
        if what.startswith("expire"):
            tokens = sorted(self.model.leases)
            self.expire(tokens if what == "expire all" or not tokens else [tokens[pick % len(tokens)]])
        elif what == "submit":
            self.submit(job)
        elif what == "cancel" and pick % 3 == 0:
            self.cancel(job)
        elif what == "wipe":
            self.wipe()

    @rule(pick=picks)
    def deadline(self, pick: int) -> None:
        """The deadline of an order passes, if it has one that has not passed."""
        job = list(self.model.jobs.values())[pick % len(self.model.jobs)]
        with self.answers():
            if self.client.zadd("prodgen:deadlines", {job.record.id: 1}, xx=True, ch=True):
                job.late = True
            assert self.ledger.pass_deadlines() == self.model.pass_deadlines()

    @rule(incident=incidents, point=st.integers(0, 20), pick=picks, dies_at=st.none() | st.integers(0, 40))
    def maintain(
        self, incident: str = "nothing", point: int = 0, pick: int = 0, dies_at: int | None = None
    ) -> None:
        ledger: Any = Interrupted(self.ledger, point, self.incident(incident, pick))
        with killed_at(self.store, dies_at), self.answers(LedgerLost, Killed):
            if recovery.ensure(self.store, ledger) and not self.model.open:
                self.note_ends()
                self.model.recovered(self.store)
            ending.settle_jobs(self.store, ledger)
        self.client.delete("prodgen:recovering")  # time passes
        self.note_ends()

    @rule(pick=picks, incident=incidents, point=st.integers(0, 2), dies_at=st.none() | st.integers(0, 3))
    def control(self, pick: int, incident: str, point: int, dies_at: int | None) -> None:
        """Pause, resume, or move to the other queue."""
        job = list(self.model.jobs.values())[pick % len(self.model.jobs)]
        change: dict[str, Any] = [{"paused": True}, {"paused": False}, {"priority": "bulk"}][pick // 7 % 3]
        with killed_at(self.store, dies_at), self.answers(LedgerLost, Killed):
            self.control_job(job, change, point, self.incident(incident, pick))

    @rule(pick=picks, incident=incidents, point=st.integers(0, 4), dies_at=st.none() | st.integers(0, 12))
    def retry(self, pick: int, incident: str, point: int, dies_at: int | None) -> None:
        """Retry an order that has ended without all its images. If there is none, end all orders that run."""
        jobs = [
            job for job in self.model.jobs.values() if job.end and JobState.model_validate_json(job.end).dead
        ]
        if not jobs:
            self.expire(sorted(self.model.leases))
            self.work_off()
            self.maintain()
            return
        job = jobs[pick % len(jobs)]
        job.poison = pick % 2 == 1
        ledger = self.entering(point, self.incident(incident, pick))
        with killed_at(self.store, dies_at), self.answers(LedgerLost, Killed, Conflict):
            retry_job(self.store, ledger, Settings(), job.record.tenant, job.record.id)

    # What it consists of

    def entering(self, point: int = -1, incident: Callable[[], None] = lambda: None) -> Any:
        """The ledger, of which the model hears what jobs are entered."""

        def restore(entry: JobEntry, done: set[int], *rest: Any) -> bool:
            self.note_ends()
            job = self.model.jobs[entry.id]
            new = self.ledger.restore(entry, done, *rest)
            assert new == (not job.known or entry.retries > job.retries)
            if new:
                self.model.entered(job, control_of(self.store, job.record), set(done))
            return new

        return Interrupted(self.ledger, point, incident, restore=restore)

    def control_job(
        self,
        job: Job,
        change: dict[str, Any],
        point: int = -1,
        incident: Callable[[], None] = lambda: None,
    ) -> None:
        def control(id: str, queue: Queue, paused: bool) -> State | None:
            answer = self.ledger.control(id, queue, paused)
            if job.known and job.state in ("queued", "running"):
                job.paused, job.priority = paused, queue
            return answer

        ledger: Any = Interrupted(self.ledger, point, incident, control=control)
        change_job(self.store, ledger, Settings(), job.record.tenant, job.record.id, **change)

    def submit(self, job: Job) -> None:
        if job.end:
            return  # a gateway looks for state.json first
        with self.answers():
            enter_job(self.store, self.entering(), job.record)

    def cancel(self, job: Job) -> None:
        with self.answers():
            answer = self.ledger.cancel(job.record.id)
            self.note_ends()  # an incident may come between an end's writing and the next look at it
            last = self.store.objects.get(keys.job(job.record.tenant, job.record.id, "state.json"))
            assert answer in (self.model.cancel(job), last and JobState.model_validate_json(last).state)

    def lease(self, worker: str, queue: Any, images: int) -> Lease | None:
        lease = None
        with self.answers():
            lease = self.ledger.lease(queue, worker, images)
            self.model.give(worker, queue, lease)
            if lease:
                assert all(lease.token != other.token for other in self.given)
                self.given.append(lease)
        return lease

    def do(
        self,
        deed: str,
        lease: Lease,
        point: int = -1,
        incident: Callable[[], None] = lambda: None,
        dies_at: int | None = None,
    ) -> None:
        record, token = self.model.jobs[lease.job].record, lease.token
        if token in self.gone:
            return
        with killed_at(self.store, dies_at), self.answers(LedgerLost, Killed):
            if deed.startswith("paint"):
                paint(self.store, record, lease, part=deed == "paint a part")
            if deed == "report":
                manifest = paint(self.store, record, lease)
                self.reported.add(token)
                ledger: Any = Interrupted(self.ledger, point, incident, complete=self.complete)
                report(self.store, ledger, record, lease, manifest)
            if deed == "fail":
                self.ledger.fail(token, "it raised")
                self.model.fail(token)
            if deed == "release":
                self.ledger.release(token)
                self.model.release(token)
            if deed == "discard":
                self.discard_if_lost(lease)

    def complete(self, token: str) -> bool:
        expected = self.model.open and self.model.complete(token)
        counted = self.ledger.complete(token)
        assert counted == expected, "a lease was counted that must not be, or was not that must"
        return counted

    def discard_if_lost(self, lease: Lease) -> None:
        [held] = self.ledger.renew([lease.token]).values()
        job, holds = self.model.jobs[lease.job], lease.token in self.model.leases
        expected = ("cancelled" if job.state == "cancelled" else "held") if holds else "lost"
        assert held == expected or (job.end and held == "lost")
        if held != "held" and lease.token not in self.reported:
            discard(self.store, job.record, lease)
            self.gone.add(lease.token)

    def work_off(self) -> None:
        for queue in ("bulk", "interactive"):
            while lease := self.lease("last", queue, 128):
                self.do("fail" if self.model.is_poison(lease) else "report", lease)

    def expire(self, tokens: list[str]) -> None:
        with self.answers():
            for token in tokens:
                self.client.zadd("prodgen:leases", {token: 0}, xx=True)
            expired = {lease.token for lease in self.ledger.expire()}
            assert expired == set(tokens)
            for token in tokens:
                self.model.expire(token)

    def wipe(self) -> None:
        self.note_ends()
        self.client.flushdb()
        self.model.wipe()

    def incident(self, name: str, pick: int) -> Callable[[], None]:
        def happen() -> None:
            before, self.store.before = self.store.before, lambda method, key: None
            if name == "die":
                raise Killed
            if name.startswith("wipe"):
                self.wipe()
            if name in ("wipe and recover", "maintain"):
                self.maintain()
            if name == "expire":
                self.expire(sorted(self.model.leases))
            if name == "cancel":
                self.cancel(list(self.model.jobs.values())[pick % len(self.model.jobs)])
            self.store.before = before

        return happen

    @contextmanager
    def answers(self, *accepted: type[BaseException]) -> Iterator[None]:
        """A lost ledger refuses, and an open one does not."""
        try:
            yield
        except accepted:
            pass
        except LedgerLost:
            assert not self.model.open, "an open ledger refused"

    # What must be true

    def note_ends(self) -> None:
        """An end that is new agrees with the model; one that is known is unchanged until a retry."""
        for job in self.model.jobs.values():
            end = self.store.objects.get(keys.job(job.record.tenant, job.record.id, "state.json"))
            state = end and JobState.model_validate_json(end)
            retries = control_of(self.store, job.record).retries
            if state and state.retries != retries:
                assert state.state in RETRYABLE
                assert state.retries < retries
                job.end = None
            elif job.end is not None:
                assert end == job.end, "an end has changed"
            elif state:
                job.end = end
                assert state.done == job.images(job.done)
                assert set(state.dead) == job.dead
                whole = {"succeeded"} if not job.dead else {"partial"} if job.done else {"failed"}
                assert {state.state} == ({"cancelled"} if job.state == "cancelled" else whole)

    @invariant()
    def ends_stand(self) -> None:
        self.note_ends()

    @invariant()
    def the_ledger_agrees(self) -> None:
        if not self.model.open:
            assert self.ledger.epoch() is None
            return
        for job in self.model.jobs.values():
            progress = self.ledger.progress(job.record.id)
            assert (progress is not None) == job.known
            if progress is None or (
                progress.retries < control_of(self.store, job.record).retries and not job.end
            ):
                continue  # the ledger does not know the retry yet
            if progress.state in TERMINAL and job.end:
                state = JobState.model_validate_json(job.end)
                lost = job.images(set(state.dead))
                assert (progress.state, progress.done, progress.failed) == (state.state, state.done, lost)
                assert not self.ledger.dead(job.record.id)
                job.state = state.state
            else:
                state = "paused" if job.paused and job.state in ("queued", "running") else job.state
                assert (progress.state, progress.done) == (state, job.images(job.done))
                assert progress.queue == job.queue
                assert self.ledger.dead(job.record.id) == sorted(job.dead)
        for queue in ("bulk", "interactive"):
            backlog = self.ledger.backlog(queue)
            jobs = [job for job in self.model.jobs.values() if job.queue == queue]
            assert backlog.images == sum(job.images(self.model.owed(job)) for job in jobs)
            assert backlog.leases == sum(held.lease.queue == queue for held in self.model.leases.values())

    def teardown(self) -> None:
        """In the end every order is delivered."""
        if not hasattr(self, "model"):
            return
        self.maintain()
        for job in self.model.jobs.values():
            self.submit(job)
            self.control_job(job, {"paused": False})
        self.expire(sorted(self.model.leases))
        self.work_off()
        self.maintain()
        self.the_ledger_agrees()
        assert self.ledger.finishing() == []
        for job in self.model.jobs.values():
            assert job.end, "an order never ended"
            state = JobState.model_validate_json(job.end)
            made = published(self.store, job.record)
            assert job.images(made) == state.done
            if state.state != "cancelled":
                assert made == set(range(job.record.cells)) - set(state.dead)
            counted = [keys.parse_usage(key) for key in self.store.objects if "/usage/" in key]
            assert sum(one[2] for one in counted if one[0] == job.record.id) == state.done


@contextmanager
def killed_at(store: MemoryStore, point: int | None) -> Iterator[None]:
    """The process dies before its n-th call of the store."""
    left = -1 if point is None else point

    def strike(method: str, key: str) -> None:
        nonlocal left
        left -= 1
        if left == -1:
            raise Killed

    before, store.before = store.before, strike
    try:
        yield
    finally:
        store.before = before


@pytest.mark.timeout(900)  # a failure takes long to simplify
def test_no_history_loses_an_order_or_counts_an_image_twice(
    quick_valkey: "ValkeyServer", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "THREADS", 1)
    Deployment.client = quick_valkey.client(DATABASE)
    run_state_machine_as_test(
        Deployment,
        settings=settings(
            max_examples=int(os.environ.get("PRODGEN_EXAMPLES", "40")),
            stateful_step_count=50,
            database=None,
        ),
    )
