"""A node's part in an attempt at a run: fetched, launched, watched, and its end reported."""

import logging
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from prodgen.datasets import fetch_dataset, resolve_dataset
from prodgen.errors import NotFound, ProdgenError, Unavailable
from prodgen.ledger.roster import Roster
from prodgen.ledger.run_entries import ENDED, STOP_COMMANDS, Assignment, Outcome
from prodgen.registry import fetch, fetch_discriminator, resolve
from prodgen.runs.ending import settle
from prodgen.runs.files import (
    CARD,
    Checkpoint,
    delete_end,
    fetch_checkpoint,
    load_end,
    load_record,
    load_stop_request,
    newest_checkpoint,
    write_end,
)
from prodgen.runs.judges import fetch_judge
from prodgen.runs.launch import Node, start
from prodgen.runs.lease import Tenure
from prodgen.runs.processes import Processes
from prodgen.runs.publisher import Publisher
from prodgen.runs.record import RunRecord, TrainingSpec
from prodgen.runs.results import bring
from prodgen.settings import settings
from prodgen.storage.base import Store
from prodgen.storage.cache import held, hold, make_room

log = logging.getLogger("prodgen.training")

T = TypeVar("T")

POLL = 0.5
"""Seconds between two looks at the processes."""
WORDS = {"released": "handed back", "detached": "left to the others", "crashed": "broke off"}


class _Lost(Exception):
    """The run is another's now, whatever this node has made of it."""


class Attempt:
    """One node's, at ``address``, its files under ``folder``. ``leaving()``: whether the worker must go."""

    def __init__(
        self,
        store: Store,
        roster: Roster,
        part: Assignment,
        node: str,
        address: str,
        folder: Path,
        leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        self.store, self.roster, self.part, self.node, self.address = store, roster, part, node, address
        self.cache, self.leaving = folder, leaving
        self.folder = folder / "runs" / f"{part.run}-{node}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.processes: Processes | None = None
        self.tenure = Tenure(roster, part, node, self.folder / "lease", self._progress, self._kill)

    @property
    def hosts(self) -> bool:
        """Whether this node speaks for the run."""
        return self.node == self.part.host

    def work(self) -> str:
        """The whole of it -> what became of it, for people."""
        try:
            try:
                return self._work()
            except Unavailable as error:
                return self._end("released", message=str(error))
            except ProdgenError as error:
                return self._end("failed" if self.hosts else "crashed", message=str(error))
            except _Lost:
                raise
            except Exception as error:  # a full disk, say: whatever it is, the run must not hang on it
                log.exception("run %s", self.part.run)
                return self._end("crashed", message=f"{type(error).__name__}: {error}")
        except _Lost:
            return f"run {self.part.run[:6]}: given up, it is another's now"
        finally:
            self._kill()
            self.tenure.end()
            shutil.rmtree(self.folder, ignore_errors=True)  # what counts is in the store

    def _work(self) -> str:
        record = load_record(self.store, self.part.tenant, self.part.run)
        end = load_end(self.store, record)
        if end and end.state in ENDED:
            return self._end(end.state, end.step, end.error or "")
        if end:
            delete_end(self.store, record)  # of a pause that is over
        if wished := load_stop_request(self.store, record):  # Redis may never have heard
            self.roster.command(record.id, STOP_COMMANDS[wished])
        newest = self._fetch(record)
        status = self.roster.status(record.id)
        restarts = status.restarts if status else 0
        publisher = Publisher(
            self.store, record, self.part.token, self.folder, newest, self._counts, restarts
        )
        processes = self.processes = self._launch(record)
        while not processes.ended():
            time.sleep(POLL)
            if self.tenure.held in ("pause", "cancel", "regroup") or self.leaving():
                processes.ask_to_stop()
            if self.hosts and self.tenure.held != "lost":
                with suppress(Unavailable):  # the store is away: the run goes on
                    publisher.publish()
        return self._conclude(record, publisher, processes)

    def _fetch(self, record: RunRecord) -> Checkpoint | None:
        """Bring what the run has reached so far -> where it goes on."""
        while newest := newest_checkpoint(self.store, record.tenant, record.id):
            try:
                fetch_checkpoint(self.store, record, newest, self.folder)
            except NotFound:
                if newest_checkpoint(self.store, record.tenant, record.id) == newest:
                    raise
            else:  # else a newer one has just taken its place
                return newest
        if isinstance(record.spec, TrainingSpec):
            fetch_judge(self.store, record, self.folder)
        return None

    def _launch(self, record: RunRecord) -> Processes:
        """Bring what the run reads, then start it."""
        dataset = resolve_dataset(self.store, record.tenant, record.data)
        data = fetch_dataset(self.store, dataset, self.cache / "data", lambda *_: self._still())
        hold(self.folder, data)
        source = None
        if record.source:
            version = resolve(self.store, record.source, record.tenant)
            source = fetch(self.store, version, self.cache / "models")
            hold(self.folder, source)
            if isinstance(record.spec, TrainingSpec):
                fetch_discriminator(self.store, version, source)
            with suppress(NotFound):  # an evaluation goes on with what the card says
                (self.folder / CARD).write_bytes(self.store.get(f"{version.prefix}/{CARD}"))
        caches = [self.cache / "data", self.cache / "models"]
        make_room(settings().cache_mb << 20, caches, held(self.cache / "runs"))
        self._still()
        here = Node(self.folder, self.address, self.hosts)
        return start(self.part, record, here, data, source, self.cache / "judges")

    def _conclude(self, record: RunRecord, publisher: Publisher, processes: Processes) -> str:
        """The processes have ended: bring what they left, then say so."""
        result = processes.result()
        if not self.hosts:
            crashed = result is None and not processes.was_asked
            return self._end(
                "crashed" if crashed else "detached", message=processes.last_words() if crashed else ""
            )
        if not self._insist(publisher.publish):
            raise _Lost
        if result is None:  # one that was asked to stop before it could hear is not to blame
            blame = "" if processes.was_asked else processes.last_words()
            return self._end("released" if processes.was_asked else "crashed", message=blame)
        step, outcome = int(result["step"]), result["outcome"]
        if outcome == "finished":
            self._own(step)
            told = self._insist(lambda: bring(self.store, self.roster, record, self.folder, step))
            self._own(step)
            self._insist(lambda: write_end(self.store, record, told.end))
            self._insist(publisher.sweep)
            return self._end("succeeded", step, told=told.said)
        if outcome == "stopped":
            wishes: dict[str, Outcome] = {"pause": "paused", "cancel": "cancelled"}
            return self._end(wishes.get(self.tenure.held, "released"), step)
        return self._end("failed", step, result["message"])

    def _end(self, outcome: Outcome, step: int = 0, message: str = "", told: str = "") -> str:
        """Report, and see to it that the store knows -> what to show."""
        if not self._insist(lambda: self.roster.report(self.part, self.node, outcome, step, message)):
            raise _Lost
        with suppress(Unavailable):  # maintenance does it then
            settle(self.store, self.roster, self.part.run)
        at = f" at step {step}" if step else ""
        said = told or message
        return f"run {self.part.run[:6]}: {WORDS.get(outcome, outcome)}{at}" + (f", {said}" if said else "")

    def _insist(self, act: Callable[[], T]) -> T:
        """Do it, waiting for a service that is away; raises _Lost if the run is lost over it."""
        while self.tenure.held != "lost":
            try:
                return act()
            except Unavailable as error:
                log.warning("run %s waits: %s", self.part.run[:6], error)
                time.sleep(POLL)
        raise _Lost

    def _still(self) -> None:
        if self.tenure.held == "lost":
            raise _Lost

    def _own(self, step: int) -> None:
        """Raises _Lost unless this attempt still speaks for the run."""
        if not self._insist(lambda: self._counts(step)):
            raise _Lost

    def _counts(self, step: int) -> bool:
        return self.tenure.held != "lost" and self.roster.confirm(self.part, step)

    def _progress(self) -> dict[str, object]:
        return self.processes.progress() if self.processes and self.hosts else {}

    def _kill(self) -> None:
        if self.processes:
            self.processes.kill()
