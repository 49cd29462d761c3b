"""The ledger decides who makes what: every job, lease and count, in Redis (>= 7) or Valkey.

A job's images are cut into cells; two bits a cell say whether it is taken and whether it is made. Workers
lease runs of cells and report them; work is owed until it is counted here, and counted once. Each change is
one Lua script (``scripts/*.lua``), so it happens whole or not at all; the clock is the server's own.

Everything here can be rebuilt from the store (`prodgen.recovery`). Until that has happened after a wipe,
every method that decides something raises `LedgerLost`.
"""

import secrets
from collections.abc import Iterable
from typing import cast

import redis
from redis.exceptions import RedisError

from prodgen.ledger import replies
from prodgen.ledger.entries import (
    MAX_LEASE_CELLS,
    Backlog,
    Event,
    Held,
    JobEntry,
    JobState,
    Lease,
    Progress,
    Queue,
    State,
)
from prodgen.ledger.scripts import Scripts, text, translated
from prodgen.spec.names import check_name
from prodgen.spec.order import CELL

RECOVERY_SECONDS = 30
"""A recovery silent for so long is taken for dead."""


class Ledger:
    """The jobs of one deployment. Safe to share between threads."""

    def __init__(self, client: "redis.Redis", lease_seconds: float = 30.0, prefix: str = "prodgen") -> None:
        self.client = client
        self.prefix = check_name(prefix) + ":"
        self.lease_seconds = lease_seconds
        self._microseconds = int(lease_seconds * 1_000_000)
        self.scripts = Scripts(client, self.prefix)

    # Orders

    def submit(self, entry: JobEntry) -> bool:
        """Owe the images of an order; False, changing nothing, when the job is already known."""
        return bool(self.scripts.run("submit", *replies.identity(entry)))

    def cancel(self, job: str) -> State | None:
        """Stop a job and return its state (None if unknown): what has ended, or is finishing, stays."""
        return cast("State | None", self.scripts.run("cancel", job))

    def progress(self, job: str) -> Progress | None:
        """Where the job stands; None for an unknown one."""
        views = self.scripts.run("view", job)
        return replies.progress(*views[0]) if views else None

    def jobs(self, tenant: str, before: str | None = None, limit: int = 20) -> list[Progress]:
        """A tenant's jobs, newest first; ``before`` is the id of the last one seen."""
        found = self.scripts.run("list", tenant, before or "", max(1, limit))
        return [replies.progress(*view) for view in self.scripts.run("view", *found)]

    def events(self, job: str, after: str = "0", block_ms: int = 0) -> list[Event]:
        """What happened to the job after event ``after`` ("0" for all that is kept), oldest first.

        Waits up to ``block_ms`` for the first one, but never as long as the client's socket timeout. The
        stream keeps about the last thousand.
        """
        entries = self.scripts.entries(f"job:{job}:events", after, block_ms)
        return [replies.event(id, fields) for id, fields in entries]

    def backlog(self, queue: Queue) -> Backlog:
        """How much a queue owes, and for how long."""
        images, leases, microseconds = self.scripts.run("backlog", queue)
        return Backlog(queue, images, microseconds / 1_000_000, leases)

    # Work

    def lease(self, queue: Queue, worker: str, images: int) -> Lease | None:
        """The fairest job's next cells, about so many images and at least one cell.

        None if there is nothing for this worker now. A worker that holds nothing may be given a cell that
        killed another; while it holds that one it is given nothing else.
        """
        wanted = max(1, min(images // CELL, MAX_LEASE_CELLS))
        answer = self.scripts.run("lease", queue, worker, wanted, self._microseconds)
        return replies.lease(answer) if answer else None

    def renew(self, tokens: Iterable[str]) -> dict[str, Held]:
        """Move the deadlines of held leases on; tells which are lost, and which belong to a cancelled job."""
        asked = list(tokens)
        return dict(zip(asked, self.scripts.run("renew", self._microseconds, *asked), strict=True))

    def complete(self, token: str) -> bool:
        """Count the cells of a lease: True for the winner, whose manifest is to be published.

        A winner that asks again, because the answer was lost on the way, hears True again for five minutes.
        """
        return bool(self.scripts.run("complete", token))

    def release(self, token: str) -> None:
        """Hand a lease back without blame, its cells not made."""
        self.scripts.run("release", token)

    def fail(self, token: str, message: str) -> None:
        """The work raised. One cell gets a strike; of several each is next run alone."""
        self.scripts.run("fail", token, message[:500])

    def expire(self) -> list[Lease]:
        """End the leases past their deadline; their workers are taken for dead."""
        expired: list[Lease] = []
        while batch := self.scripts.run("expire", 100):
            expired += map(replies.lease, batch)
        return expired

    # The end

    def finishing(self) -> list[str]:
        """Jobs that are all made, or cancelled, and whose end is not yet known to be in the store."""
        return sorted(self.scripts.read("smembers", "finishing"))

    def won(self, job: str) -> dict[int, str]:
        """The first cell of each counted lease and its token, until the job is settled."""
        won = self.scripts.read("hgetall", "job", job, "won")
        return {int(first): token for first, token in won.items()}

    def give_back(self, job: str, missing: Iterable[int]) -> bool:
        """Owe again those cells of a finishing job whose images are not in the store after all."""
        return bool(self.scripts.run("give_back", job, *missing))

    def settle(self, job: str, state: JobState) -> None:
        """The job's end is in the store: keep a line of it for listing, and never change it again."""
        end = (state.state, state.done, state.error or "", state.finished.timestamp())
        self.scripts.run("settle", job, *end, *state.dead)

    # Recovery

    def epoch(self) -> str | None:
        """The name of this life of the ledger, which every token begins with; None when it is lost."""
        return cast("str | None", self.scripts.read("get", "epoch"))

    def begin(self) -> str | None:
        """The right to rebuild a lost ledger; None if it is open, or another recovery is at it."""
        recovery = secrets.token_hex(8)
        return recovery if self.scripts.run("begin", recovery, RECOVERY_SECONDS) else None

    def keep(self, recovery: str) -> None:
        """Say that the recovery is still at it; raises LedgerLost if it has lost its right."""
        self.scripts.run("keep", recovery, RECOVERY_SECONDS)

    def clear(self, recovery: str) -> None:
        """Drop whatever a lost ledger, or a recovery that died, has left."""
        cursor = "0"
        while (cursor := self.scripts.run("clear", recovery, cursor)) != "0":
            pass

    def restore(
        self,
        entry: JobEntry,
        done: Iterable[int],
        dead: Iterable[int],
        state: JobState | None,
        recovery: str = "",
    ) -> bool:
        """Enter a job as the store knows it: with ``done`` and ``dead`` cells, the rest owed, or ended.

        False, changing nothing, for a known job. Without ``recovery`` the ledger must be open.
        """
        made, aside = set(done), set(state.dead if state else dead)
        bitmaps = [replies.bitmap(cells, entry.total) for cells in (made, made | aside)]
        name = state.state if state else "running" if made or aside else "queued"
        images = state.done if state else replies.images(made, entry.total)
        # What runs is owed anew from now on; to all others nothing has happened.
        updated = state.finished.timestamp() if state else entry.created if name == "queued" else ""
        standing = (name, images, replies.images(aside, entry.total), (state and state.error) or "", updated)
        run = self.scripts.run
        return bool(run("restore", recovery, *replies.identity(entry), *bitmaps, *standing, *sorted(aside)))

    def open(self, recovery: str) -> str:
        """Everything is restored: the ledger lives, under a new epoch."""
        epoch = secrets.token_hex(6)
        self.scripts.run("open", recovery, epoch, self._server())
        return epoch

    def restarted(self) -> bool:
        """Whether the server is another process than when this was last `checked`: it may have forgotten the
        last moments before its end."""
        return bool(self.scripts.read("get", "server") != self._server())

    def checked(self) -> None:
        """What the restarted server may have forgotten has been looked up in the store."""
        try:
            self.client.set(self._key("server"), self._server())
        except RedisError as error:
            raise translated(error) from error

    def _server(self) -> str:
        try:
            return str(text(self.client.info("server")).get("run_id", ""))
        except RedisError as error:
            raise translated(error) from error

    def _key(self, *parts: str) -> str:
        return self.prefix + ":".join(parts)
