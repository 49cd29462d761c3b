"""The ledger decides which worker makes which images. Its data is in Redis (>= 7) or Valkey.

Each cell has two bits: a lease has taken the cell, and the cell is made. Each change is one Lua script
(``scripts/*.lua``), and all times are from the clock of the Redis server. After a wipe of Redis, every method
that decides something raises `LedgerLost` until `prodgen.recovery` has rebuilt the ledger from the store.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import astuple
from typing import Any, cast

import redis
from redis.exceptions import RedisError

from prodgen.ledger.entries import (
    MAX_LEASE_CELLS,
    Backlog,
    CellError,
    Event,
    Held,
    JobEntry,
    JobState,
    Lease,
    Progress,
    Queue,
    QuotaRefusal,
    Rates,
    State,
)
from prodgen.ledger.scripts import LedgerLost, Scripts, record, text, translated
from prodgen.spec.names import check_name
from prodgen.spec.order import CELL, count_cells

ADMITTED_SECONDS = 120
"""Seconds for which `admit` reserves room in the quotas for an order that is not submitted yet."""
PACE_SECONDS = 60
"""The minimum number of seconds over which `Ledger.pace` measures, once the job is that old."""
PACE_LEASES = 4
"""The minimum number of counted leases over which `Ledger.pace` measures, once the job has that many."""
TOO_LATE = "no worker took them before the deadline of the order"
"""The error of images that no worker took before the deadline of the order."""
_CELLS_AT_ONCE = 5000
RECOVERY_SECONDS = 30
"""Seconds after which a recovery counts as dead if it has not renewed its right."""


class Ledger:
    """The jobs of one deployment. Threads may share one object.

    ``lease_seconds``: how long a lease lasts unless its worker renews it. Every Redis key begins with
    ``prefix``.
    """

    def __init__(self, client: "redis.Redis", lease_seconds: float = 30.0, prefix: str = "prodgen") -> None:
        self.client = client
        self.prefix = check_name(prefix) + ":"
        self.lease_seconds = lease_seconds
        self.lease_microseconds = int(lease_seconds * 1_000_000)
        self.scripts = Scripts(client, self.prefix)

    # Orders

    def submit(self, entry: JobEntry) -> bool:
        """Enter a job, so that workers can lease its images. Returns False if the job is already known."""
        return self.restore(entry, (), (), None)

    def admit(
        self, tenant: str, job: str, images: int, per_day: int | None, queued: int | None
    ) -> QuotaRefusal | None:
        """Reserve room for a job of ``images`` images within the tenant's limits ``per_day`` and ``queued``.

        None as a limit: no limit. Returns None if there is room, else the reason of the refusal. The
        reservation ends when `submit` enters the job, or after `ADMITTED_SECONDS`.
        """
        limits = ("" if limit is None else limit for limit in (per_day, queued))
        answer = self.scripts.call("admit", tenant, job, images, ADMITTED_SECONDS, *limits)
        return QuotaRefusal(*answer) if answer else None

    def count_request(self, tenant: str, per_second: float) -> float:
        """Count a request of a tenant that may send ``per_second`` requests a second.

        Returns 0 if the request is allowed now, else the seconds until it is allowed.
        """
        return float(self.scripts.call("rate", tenant, per_second)) / 1_000_000

    def cancel(self, job: str) -> State | None:
        """Cancel a job. Returns its state, or None if the job is unknown.

        Does not change a finishing or ended job.
        """
        return cast("State | None", self.scripts.call("cancel", job))

    def control(self, job: str, queue: Queue, paused: bool) -> State | None:
        """Move a job to ``queue``, and pause or resume it. Returns its state, or None if the job is unknown.

        The change has an effect from the next lease on. Does not change a finishing or ended job.
        """
        return cast("State | None", self.scripts.call("control", job, queue, int(paused)))

    def progress(self, job: str) -> Progress | None:
        """Return a job's state and counts, or None if the job is unknown."""
        views = self.scripts.call("view", "job", job)
        return _progress(*views[0]) if views else None

    def jobs(self, tenant: str, before: str | None = None, limit: int = 20) -> list[Progress]:
        """Return at most ``limit`` of a tenant's jobs that are older than the job ``before``, newest first.

        ``before``: ``id`` or ``id-created`` of a job; None: begin with the newest job. The form
        ``id-created`` works even if that job was deleted meanwhile.
        """
        found = self.scripts.call("list", f"jobs:{tenant}", before or "", max(1, limit))
        return [_progress(*view) for view in self.scripts.call("view", "job", *found)]

    def unended(self, tenant: str) -> list[str]:
        """Return the ids of the tenant's jobs whose end is not in the store yet.

        Raises LedgerLost if the ledger may have forgotten jobs (see `check_complete`).
        """
        self.check_complete()
        return sorted(self.scripts.call("unended", tenant))

    def events(self, job: str, after: str = "0") -> list[Event]:
        """Return a job's events after the event ``after`` ("0" for all), oldest first.

        The ledger keeps about the last thousand events of a job.
        """
        return [
            Event(id, fields["type"], {**fields, "done": int(fields["done"]), "total": int(fields["total"])})
            for id, fields in self.scripts.entries(f"job:{job}:events", after)
        ]

    def changed(self, after: Mapping[str, str]) -> dict[str, str]:
        """Return the newest event id of each stream in ``after`` that has new events.

        ``after``: the last known event id by stream; a stream is ``job:ID:events`` or ``run:ID:events``.
        Reads at most 500 events of each stream, and returns the id of the newest event that it has read.
        """
        return self.scripts.newest(after) if after else {}

    def pace(self, job: str) -> tuple[float, int]:
        """Return (seconds, images): the length of a recent period, and the images made of a job in it.

        The period ends now. It has at least `PACE_SECONDS` seconds and `PACE_LEASES` counted leases, but
        begins no earlier than the job's last change of state.
        """
        microseconds, images = self.scripts.call("pace", job, PACE_SECONDS, PACE_LEASES)
        return microseconds / 1_000_000, images

    def waiting(self, queue: Queue, tenant: str) -> int:
        """Return how many of a tenant's jobs have images that no lease has taken."""
        return int(self.scripts.read("zcard", "line", queue, tenant))

    def backlog(self, queue: Queue) -> Backlog:
        """Return the images that a queue owes, also by model, and the age of its oldest waiting job."""
        images, leases, lost, microseconds, flat = self.scripts.call("backlog", queue)
        models = {model: int(owed) for model, owed in record(flat).items()}
        if (unknown := images - sum(models.values())) > 0:
            models[""] = unknown
        return Backlog(queue, images, microseconds / 1_000_000, leases, lost, models)

    # Workers

    def report_worker(self, worker: str, rates: Mapping[str, float]) -> bool:
        """Report that a generating worker is alive, with its recent rate (images a second) for each model.

        The worker then counts as alive for ``lease_seconds``. Returns False, and changes nothing, if the
        worker's machine is shut out.
        """
        flat = [part for pair in rates.items() for part in pair]
        return bool(self.scripts.call("report", worker, self.lease_microseconds, *flat))

    def shut_out(self, machines: Iterable[str]) -> None:
        """Make ``machines`` the list of machines that are shut out, in place of the previous list.

        Their workers get no lease. ``machines``: the names that stand in the tokens of leases.
        """
        self.scripts.call("shut_out", *machines)

    def queue_audits(self, pieces: Iterable[str], most: int) -> None:
        """Queue pieces of audits. If more than ``most`` pieces wait, drop the oldest.

        A piece is a string. Its first word lists the machines that may not take the piece.
        """
        self.scripts.call("audit_add", most, *pieces)

    def take_audit(self, worker: str) -> tuple[str, str] | None:
        """Remove from the queue a piece of an audit that the worker's machine may take.

        Returns the piece and the name of the worker's machine, or None if there is no such piece.
        """
        return self.scripts.call("audit_take", worker) or None

    def count_audits(self) -> int:
        """Return the number of pieces of audits that wait."""
        return int(self.scripts.read("llen", "audits"))

    def count_shut_out(self) -> int:
        """Return the number of machines that are shut out."""
        return int(self.scripts.read("scard", "shut_out"))

    def rates(self) -> Rates:
        """Return how many generating workers are alive, and the rate of each model."""
        workers, flat = self.scripts.call("rates")
        return Rates(workers, {model: float(rate) for model, rate in record(flat).items()})

    # Leases

    def lease(self, queue: Queue, worker: str, images: int) -> Lease | None:
        """Lease the next cells of the job whose turn it is: about ``images`` images, at least one cell.

        Returns None if there is no work for this worker now. A cell that may have broken a worker, a
        suspect, is leased alone, and its worker gets nothing else meanwhile. If redis-py sends the command
        again after a timeout, the call still takes only one lease.
        """
        wanted = max(1, min(images // CELL, MAX_LEASE_CELLS))
        answer = self.scripts.call(
            "lease", queue, worker, wanted, self.lease_microseconds, secrets.token_hex(8)
        )
        return _lease(answer) if answer else None

    def renew(self, tokens: Iterable[str]) -> dict[str, Held]:
        """Extend the deadlines of leases. Returns the state of each lease by token.

        ``cancelled``: the job of the lease was cancelled.
        """
        asked = list(tokens)
        return dict(zip(asked, self.scripts.call("renew", self.lease_microseconds, *asked), strict=True))

    def complete(self, token: str) -> bool:
        """Count the cells of a lease as made. Returns False if the lease was lost or its job cancelled.

        If this returns True, the worker must publish the manifest of the lease. A worker that did not receive
        the answer may call again: True is repeated for five minutes.
        """
        return bool(self.scripts.call("complete", token))

    def release(self, token: str) -> None:
        """Give a lease back to the ledger. Its cells are owed again, and get no strike."""
        self.scripts.call("release", token)

    def refuse(self, token: str, message: str) -> None:
        """Give back a lease because its job needs something that its worker does not have.

        The worker gets no more leases of that job. If all workers that are alive have refused the job, the
        images of the lease count as failed.
        """
        self.scripts.call("refuse", token, message[:500])

    def fail(self, token: str, message: str) -> None:
        """Report that the images of a lease could not be made.

        If the lease has one cell, the cell gets a strike. Otherwise each half of the cells becomes a suspect.
        """
        self.scripts.call("fail", token, message[:500])

    def expire(self) -> list[Lease]:
        """End the leases whose deadlines have passed, and return them. Their workers count as dead."""
        expired: list[Lease] = []
        while batch := self.scripts.call("expire", 100):
            expired += map(_lease, batch)
        return expired

    def pass_deadlines(self) -> int:
        """Set aside the cells without a lease of each job whose deadline has passed.

        Returns the number of these cells. Workers may still complete their leases of such a job. If a worker
        gives a lease back, the next call sets its cells aside.
        """
        cells = 0
        while aside := self.scripts.call("deadlines", _CELLS_AT_ONCE, TOO_LATE):
            cells += aside
        return cells

    # Ends

    def finishing(self) -> list[str]:
        """Return the ids of the jobs to settle: all of their images are made or set aside, or cancelled."""
        return sorted(self.scripts.read("smembers", "finishing"))

    def won(self, job: str) -> dict[int, str]:
        """Return the token of each counted lease of a job by the lease's first cell; {} for a closed job."""
        found = self.scripts.read("hgetall", "job", job, "won")
        return {int(first): token for first, token in found.items()}

    def dead(self, job: str) -> list[int]:
        """Return the cells of a job that were set aside. For a settled job, read state.json instead."""
        return sorted(map(int, self.scripts.read("smembers", "job", job, "dead")))

    def errors(self, job: str) -> dict[int, CellError]:
        """Return the error of each cell that was set aside, by cell, for at most 1000 cells.

        For a closed job, read state.json instead.
        """
        errors = {}
        for cell, found in self.scripts.read("hgetall", "job", job, "errors").items():
            attempts, _, error = found.partition(" ")
            errors[int(cell)] = CellError(attempts=int(attempts), error=error)
        return errors

    def give_back(self, job: str, missing: Iterable[int]) -> bool:
        """Owe the cells ``missing`` of a finishing job again, because their images are not in the store.

        Returns whether any cell is owed again.
        """
        return bool(self.scripts.call("give_back", job, *missing))

    def close(self, job: str, state: JobState) -> None:
        """Record that a job's end is in the store. The ledger then keeps only what lists of jobs show.

        Changes nothing if the job was retried after this end.
        """
        end = (state.retries, state.state, state.done, state.error or "", state.finished.timestamp())
        self.scripts.call("close", job, *end, *state.dead)

    def forget(self, job: str) -> bool:
        """Remove a job whose order is deleted. Returns False if the job is unknown.

        The end of the job must be in the store.
        """
        return bool(self.scripts.call("forget", job))

    # Recovery

    def epoch(self) -> str | None:
        """Return the epoch, a random name that each recovery of the ledger changes; None: the ledger is lost.

        Every token begins with the epoch in which the ledger gave it.
        """
        return cast("str | None", self.scripts.read("get", "epoch"))

    def begin_recovery(self) -> str | None:
        """Take the right to restore the ledger from the store. Returns the right's random name.

        Returns None while another process has the right. The right ends after `RECOVERY_SECONDS` unless
        `renew_recovery` renews it.
        """
        recovery = secrets.token_hex(8)
        return recovery if self.scripts.call("recovery_begin", recovery, RECOVERY_SECONDS) else None

    def renew_recovery(self, recovery: str) -> None:
        """Keep the right to restore the ledger. Raises LedgerLost if another recovery has taken it."""
        self.scripts.call("recovery_renew", recovery, RECOVERY_SECONDS)

    def clear(self, recovery: str) -> None:
        """Delete all keys that the lost ledger, or an unfinished recovery, has left in Redis."""
        cursor = "0"
        while (cursor := self.scripts.call("recovery_clear", recovery, cursor)) != "0":
            pass

    def restore(
        self,
        entry: JobEntry,
        done: Iterable[int],
        dead: Iterable[int],
        state: JobState | None,
        recovery: str = "",
    ) -> bool:
        """Enter a job as the store knows it.

        With ``state``, the job has ended. Without it, the cells ``done`` are made and the cells ``dead`` set
        aside, and all others are owed. Replaces a known job if ``entry`` has more retries; otherwise returns
        False for a known job, and changes nothing. ``recovery``: the right from `begin_recovery`; without it,
        raises LedgerLost if the ledger is lost.
        """
        made, aside = set(done), set(state.dead if state else dead)
        bitmaps = [_bitmap(cells, entry.total) for cells in (made, made | aside)]
        name = state.state if state else "running" if made or aside else "queued"
        images = state.done if state else _images(made, entry.total)
        # '' is now: a running job is owed anew from now on. To all other jobs nothing has happened.
        unchanged = name == "queued" and not entry.retries
        updated = state.finished.timestamp() if state else entry.created if unchanged else ""
        standing = (name, images, _images(aside, entry.total), (state and state.error) or "", updated)
        *fields, paused, retries, finish_by = astuple(entry)
        listed = () if state else sorted(aside)
        arguments = (*fields, int(paused), retries, finish_by, *bitmaps, *standing, *listed)
        return bool(self.scripts.call("restore", recovery, *arguments))

    def count_deleted(self, entry: JobEntry, recovery: str) -> None:
        """Count the images of a deleted job as ordered by its tenant today, if the job was placed today."""
        self.scripts.call("count", recovery, entry.tenant, entry.id, entry.total, entry.created)

    def open(self, recovery: str) -> str:
        """End a recovery after the ledger is rebuilt: set a new epoch, and return the epoch."""
        epoch = secrets.token_hex(6)
        self.end_recovery(recovery, epoch)
        return epoch

    def end_recovery(self, recovery: str, epoch: str = "") -> None:
        """Give up the right to restore the ledger, and record that the ledger is complete.

        With ``epoch``, also opens the rebuilt ledger. The record is valid until the Redis server restarts.
        """
        self.scripts.call("recovery_end", recovery, epoch, self._server())

    def check_complete(self) -> None:
        """Raise LedgerLost if Redis may have forgotten jobs or runs: it was wiped or has restarted."""
        if self.epoch() is None or self.server_restarted():
            raise LedgerLost

    def server_restarted(self) -> bool:
        """Return whether Redis has restarted since the last recovery, and may have lost recent writes."""
        return bool(self.scripts.read("get", "server") != self._server())

    def _server(self) -> str:
        try:
            return str(text(self.client.info("server")).get("run_id", ""))
        except RedisError as error:
            raise translated(error) from error


def _lease(fields: list[Any]) -> Lease:
    token, job, tenant, first, cells, alone, queue = fields
    return Lease(token, job, tenant, first, cells, bool(alone), queue)


def _progress(id: str, flat: list[str], _members: list[str]) -> Progress:
    """Return a job's state and counts from its hash in Redis, a flat list of names and values."""
    fields = record(flat)
    paused = fields.get("paused") == "1" and fields["state"] in ("queued", "running")
    return Progress(
        id=id,
        tenant=fields["tenant"],
        queue=fields["queue"],
        state="paused" if paused else fields["state"],
        total=int(fields["total"]),
        done=int(fields["done"]),
        failed=int(fields.get("dead", 0)),
        error=fields.get("error"),
        created=float(fields["created"]),
        updated=float(fields["updated"]),
        model=fields.get("model", ""),
        retries=int(fields.get("retries", 0)),
        owed=int(fields.get("owed", 0)),
    )


def _images(cells: set[int], total: int) -> int:
    """Return the number of images in some cells of a job of ``total`` images."""
    return sum(min(CELL, total - cell * CELL) for cell in cells)


def _bitmap(cells: set[int], total: int) -> bytes:
    """Return a bitmap with one bit for each cell of a job, set for the cells in ``cells``.

    The bits are in the order of Redis: cell 0 is the highest bit of the first byte.
    """
    bits = bytearray(-(-count_cells(total) // 8))
    for cell in cells:
        bits[cell // 8] |= 0x80 >> cell % 8
    return bytes(bits)
