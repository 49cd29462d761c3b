"""The ledger decides which worker makes which images. It lives in Redis (>= 7) or Valkey.

Two bits a cell say whether a lease has taken it and whether it is made. Each change is one Lua script
(``scripts/*.lua``), and all times are the server's own. After a wipe, and until `prodgen.recovery` has
rebuilt the ledger from the store, every method that decides something raises `LedgerLost`.
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
"""Seconds for which an admitted order keeps its place within the quotas if it is not entered."""
PACE_SECONDS = 60
"""Seconds over which the pace of a job is measured."""
PACE_LEASES = 4
"""The least counted leases over which the pace of a job is measured, once there are so many."""
TOO_LATE = "no worker took them before the deadline of the order"
"""The error of images whose order was to finish before a worker took them."""
_CELLS_AT_ONCE = 5000
RECOVERY_SECONDS = 30
"""A recovery that has not renewed its right for so long counts as dead."""


class Ledger:
    """The jobs of one deployment. Threads may share it.

    ``lease_seconds``: how long a lease lasts unless its worker renews it. ``prefix`` begins every Redis key.
    """

    def __init__(self, client: "redis.Redis", lease_seconds: float = 30.0, prefix: str = "prodgen") -> None:
        self.client = client
        self.prefix = check_name(prefix) + ":"
        self.lease_seconds = lease_seconds
        self.lease_microseconds = int(lease_seconds * 1_000_000)
        self.scripts = Scripts(client, self.prefix)

    # Orders

    def submit(self, entry: JobEntry) -> bool:
        """Enter a job, whose images are owed from now on. Returns False if the job is known already."""
        return self.restore(entry, (), (), None)

    def admit(
        self, tenant: str, job: str, images: int, per_day: int | None, queued: int | None
    ) -> QuotaRefusal | None:
        """Reserve room for a job of ``images`` images within the tenant's limits. Returns why there is none.

        `submit` ends the reservation; without it, the reservation ends after `ADMITTED_SECONDS`.
        """
        limits = ("" if limit is None else limit for limit in (per_day, queued))
        answer = self.scripts.call("admit", tenant, job, images, ADMITTED_SECONDS, *limits)
        return QuotaRefusal(*answer) if answer else None

    def count_request(self, tenant: str, per_second: float) -> float:
        """Count a request of a tenant. Returns 0, or the seconds after which the request is allowed."""
        return float(self.scripts.call("rate", tenant, per_second)) / 1_000_000

    def cancel(self, job: str) -> State | None:
        """Cancel a job and return its state, or None if unknown. A finishing or ended job stays as it is."""
        return cast("State | None", self.scripts.call("cancel", job))

    def control(self, job: str, queue: Queue, paused: bool) -> State | None:
        """Move a job to ``queue``, and pause or resume it. Returns its state, or None if unknown.

        The change takes effect at the next lease. A finishing or ended job stays as it is.
        """
        return cast("State | None", self.scripts.call("control", job, queue, int(paused)))

    def progress(self, job: str) -> Progress | None:
        """Return a job's state and counts, or None if it is unknown."""
        views = self.scripts.call("view", "job", job)
        return _progress(*views[0]) if views else None

    def jobs(self, tenant: str, before: str | None = None, limit: int = 20) -> list[Progress]:
        """Return a page of a tenant's jobs, newest first, of those older than the job ``before``.

        ``before`` is ``id`` or ``id-created``; with ``created``, that job may be deleted.
        """
        found = self.scripts.call("list", f"jobs:{tenant}", before or "", max(1, limit))
        return [_progress(*view) for view in self.scripts.call("view", "job", *found)]

    def unended(self, tenant: str) -> list[str]:
        """Return the tenant's jobs whose end is not in the store yet. Raises what `check_complete` raises."""
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
        """Return the newest event of each name that has events after the one that ``after`` names.

        A name is ``job:ID:events`` or ``run:ID:events``. Reads at most 500 events of each name; the newest of
        these is returned.
        """
        return self.scripts.newest(after) if after else {}

    def pace(self, job: str) -> tuple[float, int]:
        """Return a number of seconds up to now, and the images of a job that were counted in this time.

        The time is `PACE_SECONDS` or, if that is longer, the time of `PACE_LEASES` counted leases; it does
        not reach beyond the job's last change of state.
        """
        microseconds, images = self.scripts.call("pace", job, PACE_SECONDS, PACE_LEASES)
        return microseconds / 1_000_000, images

    def waiting(self, queue: Queue, tenant: str) -> int:
        """Return how many of a tenant's jobs have images that no lease has taken."""
        return int(self.scripts.read("zcard", "line", queue, tenant))

    def backlog(self, queue: Queue) -> Backlog:
        """Return how many images a queue owes, by model too, and how old its oldest waiting job is."""
        images, leases, lost, microseconds, flat = self.scripts.call("backlog", queue)
        models = {model: int(owed) for model, owed in record(flat).items()}
        if (unknown := images - sum(models.values())) > 0:
            models[""] = unknown
        return Backlog(queue, images, microseconds / 1_000_000, leases, lost, models)

    # Workers

    def report_worker(self, worker: str, rates: Mapping[str, float]) -> bool:
        """Report that a generating worker is alive, with its recent rate (images a second) for each model.

        The worker counts as alive for as long as a lease lasts. Returns True; but if the worker's machine is
        shut out, changes nothing and returns False.
        """
        flat = [part for pair in rates.items() for part in pair]
        return bool(self.scripts.call("report", worker, self.lease_microseconds, *flat))

    def shut_out(self, machines: Iterable[str]) -> None:
        """Give no lease to workers of these machines, as tokens name them, and give leases to all others."""
        self.scripts.call("shut_out", *machines)

    def queue_audits(self, pieces: Iterable[str], most: int) -> None:
        """Queue pieces of audits. If more than ``most`` pieces wait, drop the oldest.

        A piece is one text. Its first word lists the machines that may not take the piece.
        """
        self.scripts.call("audit_add", most, *pieces)

    def take_audit(self, worker: str) -> tuple[str, str] | None:
        """Take a piece that the worker's machine may take. Returns the piece and the machine, or None."""
        return self.scripts.call("audit_take", worker) or None

    def count_audits(self) -> int:
        """Return the number of pieces of audits that wait."""
        return int(self.scripts.read("llen", "audits"))

    def count_shut_out(self) -> int:
        """Return the number of machines that are shut out."""
        return int(self.scripts.read("scard", "shut_out"))

    def rates(self) -> Rates:
        """Return how many generating workers are alive, and how fast one makes the images of each model."""
        workers, flat = self.scripts.call("rates")
        return Rates(workers, {model: float(rate) for model, rate in record(flat).items()})

    # Leases

    def lease(self, queue: Queue, worker: str, images: int) -> Lease | None:
        """Lease the next cells of the job whose turn it is: about ``images`` images, at least one cell.

        Returns None if there is nothing for this worker now. A worker that holds no lease may receive suspect
        cells, and receives nothing else while it holds them. The client may send the command again after a
        timeout: the same call returns one lease.
        """
        wanted = max(1, min(images // CELL, MAX_LEASE_CELLS))
        answer = self.scripts.call(
            "lease", queue, worker, wanted, self.lease_microseconds, secrets.token_hex(8)
        )
        return _lease(answer) if answer else None

    def renew(self, tokens: Iterable[str]) -> dict[str, Held]:
        """Extend the deadlines of leases. Returns for each: held, lost, or cancelled with its job."""
        asked = list(tokens)
        return dict(zip(asked, self.scripts.call("renew", self.lease_microseconds, *asked), strict=True))

    def complete(self, token: str) -> bool:
        """Count the cells of a lease. True: the lease won, and its worker must publish its manifest.

        If the answer is lost, the worker may call again: for five minutes the answer is the same.
        """
        return bool(self.scripts.call("complete", token))

    def release(self, token: str) -> None:
        """Return a lease without blame. Its cells are owed again."""
        self.scripts.call("release", token)

    def refuse(self, token: str, message: str) -> None:
        """Return a lease whose job needs what its worker lacks; the worker leases that job no more.

        Once every living worker has refused the job, the images of the lease count as failed.
        """
        self.scripts.call("refuse", token, message[:500])

    def fail(self, token: str, message: str) -> None:
        """Report that the images of a lease could not be made.

        If the lease has one cell, the cell gets a strike. Otherwise each half of the cells becomes a suspect.
        """
        self.scripts.call("fail", token, message[:500])

    def expire(self) -> list[Lease]:
        """End and return the leases whose deadlines have passed. Their workers count as dead."""
        expired: list[Lease] = []
        while batch := self.scripts.call("expire", 100):
            expired += map(_lease, batch)
        return expired

    def pass_deadlines(self) -> int:
        """Set aside the cells that no lease has taken of jobs whose deadline has passed. Returns how many.

        Leases of these jobs still count. A cell that a lease returns is set aside by the next call.
        """
        cells = 0
        while aside := self.scripts.call("deadlines", _CELLS_AT_ONCE, TOO_LATE):
            cells += aside
        return cells

    # Ends

    def finishing(self) -> list[str]:
        """Return the jobs that are all made, or cancelled, and not yet settled."""
        return sorted(self.scripts.read("smembers", "finishing"))

    def won(self, job: str) -> dict[int, str]:
        """Return the first cell and the token of each counted lease of a job that is not yet closed."""
        found = self.scripts.read("hgetall", "job", job, "won")
        return {int(first): token for first, token in found.items()}

    def dead(self, job: str) -> list[int]:
        """Return the cells of a job that were set aside. Only state.json lists those of a settled job."""
        return sorted(map(int, self.scripts.read("smembers", "job", job, "dead")))

    def errors(self, job: str) -> dict[int, CellError]:
        """Return the error of each dead cell of a job that is not closed, for at most 1000 cells."""
        errors = {}
        for cell, found in self.scripts.read("hgetall", "job", job, "errors").items():
            attempts, _, error = found.partition(" ")
            errors[int(cell)] = CellError(attempts=int(attempts), error=error)
        return errors

    def give_back(self, job: str, missing: Iterable[int]) -> bool:
        """Owe cells of a finishing job again because their images are not in the store."""
        return bool(self.scripts.call("give_back", job, *missing))

    def close(self, job: str, state: JobState) -> None:
        """Record that a job's end is in the store. The ledger then keeps only what lists of jobs show.

        The end of a job that has been retried since changes nothing.
        """
        end = (state.retries, state.state, state.done, state.error or "", state.finished.timestamp())
        self.scripts.call("close", job, *end, *state.dead)

    def forget(self, job: str) -> bool:
        """Remove a job whose order is deleted. Its end must be in the store. Returns False if unknown."""
        return bool(self.scripts.call("forget", job))

    # Recovery

    def epoch(self) -> str | None:
        """Return the epoch: a random name given each time the ledger is rebuilt. None: the ledger is lost.

        Every token begins with the epoch in which it was given.
        """
        return cast("str | None", self.scripts.read("get", "epoch"))

    def begin_recovery(self) -> str | None:
        """Return the right to restore the ledger from the store, or None while another process has it.

        The right ends after `RECOVERY_SECONDS` unless it is renewed.
        """
        recovery = secrets.token_hex(8)
        return recovery if self.scripts.call("recovery_begin", recovery, RECOVERY_SECONDS) else None

    def renew_recovery(self, recovery: str) -> None:
        """Keep the right to restore the ledger. Raises LedgerLost if another recovery has taken it."""
        self.scripts.call("recovery_renew", recovery, RECOVERY_SECONDS)

    def clear(self, recovery: str) -> None:
        """Delete the keys that a lost ledger, or a recovery that died, has left in Redis."""
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
        """Enter a job as the store knows it: ended if it has a ``state``, else with its ``done`` and ``dead``
        cells.

        A known job is replaced if the entry has more retries; else this returns False, and changes nothing.
        Without ``recovery`` the ledger must be open.
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
        """Count a deleted job in what its tenant has ordered, if it was placed today."""
        self.scripts.call("count", recovery, entry.tenant, entry.id, entry.total, entry.created)

    def open(self, recovery: str) -> str:
        """End a recovery: open the ledger under a new epoch, and return the epoch."""
        epoch = secrets.token_hex(6)
        self.end_recovery(recovery, epoch)
        return epoch

    def end_recovery(self, recovery: str, epoch: str = "") -> None:
        """Give up the right to restore the ledger, which is complete for this run of the server."""
        self.scripts.call("recovery_end", recovery, epoch, self._server())

    def check_complete(self) -> None:
        """Raise LedgerLost if Redis was wiped or has restarted, and may have forgotten jobs or runs."""
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
    """Convert a job's hash."""
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
    """Return one bit a cell, in the bit order of Redis: cell 0 is the highest bit of the first byte."""
    bits = bytearray(-(-count_cells(total) // 8))
    for cell in cells:
        bits[cell // 8] |= 0x80 >> cell % 8
    return bytes(bits)
