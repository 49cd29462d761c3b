"""One node's work on a run: fetch the inputs, start the processes, watch them, and report the outcome."""

import logging
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from tenacity import Retrying, before_sleep_log, retry_if_exception_type, wait_fixed

from prodgen import traces
from prodgen.errors import ProdgenError, Unavailable
from prodgen.ledger.roster import Roster
from prodgen.ledger.run_entries import ENDED, STOP_COMMANDS, Assignment, Outcome
from prodgen.logs import bound
from prodgen.runs.ending import settle
from prodgen.runs.files import delete_end, load_end, load_record, load_stop_request, write_end
from prodgen.runs.inputs import fetch_inputs
from prodgen.runs.launch import launch
from prodgen.runs.lease import RunLease
from prodgen.runs.processes import Processes
from prodgen.runs.publisher import Publisher
from prodgen.runs.record import RunRecord
from prodgen.runs.results import publish_result
from prodgen.storage.base import Store

log = logging.getLogger("prodgen.training")

T = TypeVar("T")

POLL = 0.5
"""Seconds between two checks of the processes, and between two tries to call a service without an answer."""


class _LeaseLost(Exception):
    """The node's lease on the run is lost. The node must not report or publish anything more for the run."""


class Attempt:
    """One node's work on an assignment. ``node``: the name of this node.

    ``address``: the IP address of this node for other nodes. ``folder``: this node's folder for downloads and
    runs. ``leaving()`` returns whether the worker was asked to stop. ``outcome``: the outcome that was
    reported to the roster; None before that.
    """

    def __init__(
        self,
        store: Store,
        roster: Roster,
        assignment: Assignment,
        node: str,
        address: str,
        folder: Path,
        leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        self.store, self.roster, self.assignment = store, roster, assignment
        self.node, self.address, self.cache, self.leaving = node, address, folder, leaving
        self.is_host = node == assignment.host
        self.folder = folder / "runs" / f"{assignment.run}-{node}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.processes: Processes | None = None
        self.outcome: Outcome | None = None
        self.lease = RunLease(roster, assignment, node, self.folder / "lease", self._progress, self._kill)
        self._retry = Retrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_fixed(POLL),
            before_sleep=before_sleep_log(log, logging.WARNING),
        )

    def work(self) -> str:
        """Work on the run until it ends or this node must stop. Returns a line of text that Flower shows."""
        try:
            return self._work()
        except _LeaseLost:
            return f"run {self.assignment.run[:6]}: the lease was lost, another attempt takes over"
        finally:
            self._kill()
            self.lease.stop()
            shutil.rmtree(self.folder, ignore_errors=True)  # all that counts is in the store

    def _work(self) -> str:
        try:
            record = load_record(self.store, self.assignment.tenant, self.assignment.run)
            ids = {"request_id": record.request_id, "tenant": record.tenant, "run": record.id}
            with bound(**ids), traces.span("run.attempt", record.traceparent, {**ids, "node": self.node}):
                return self._execute(record)
        except Unavailable as error:
            return self._report("released", message=error.for_clients)
        except ProdgenError as error:
            return self._report("failed" if self.is_host else "crashed", message=error.for_clients)
        except _LeaseLost:
            raise
        except Exception as error:  # after any other error, a full disk for example, the run must not hang
            log.exception("run %s", self.assignment.run)
            reason = error.strerror if isinstance(error, OSError) else error  # no path
            return self._report("crashed", message=f"{type(error).__name__}: {reason}")

    def _execute(self, record: RunRecord) -> str:
        end = load_end(self.store, record)
        if end and end.state in ENDED:
            return self._report(end.state, end.step, end.error or "")
        if end:
            delete_end(self.store, record)  # the run was paused, and is resumed now
        if requested := load_stop_request(self.store, record):  # Redis may have lost the command
            self.roster.command(record.id, STOP_COMMANDS[requested])
        with traces.span("run.inputs"):
            inputs = fetch_inputs(self.store, record, self.folder, self.cache, self._check_lease)
        status = self.roster.status(record.id)
        restarts = status.restarts if status else 0
        token, start = self.assignment.token, inputs.checkpoint
        publisher = Publisher(self.store, record, token, self.folder, start, self._counts, restarts)
        processes = launch(self.assignment, record, inputs, self.folder, self.address, self.is_host)
        self.processes = processes
        with traces.span("run.processes"):
            while not processes.ended():
                time.sleep(POLL)
                if self.lease.state in ("pause", "cancel", "regroup") or self.leaving():
                    processes.stop()
                if self.is_host and self.lease.state != "lost":
                    with suppress(Unavailable):  # the processes go on while the store is away
                        publisher.publish()
        return self._conclude(record, publisher, processes)

    def _conclude(self, record: RunRecord, publisher: Publisher, processes: Processes) -> str:
        """Publish the files that the processes wrote, and report the outcome. Returns a line for Flower."""
        result = processes.result()
        crashed = result is None and not processes.stopping  # a signal may come before it can be handled
        error = processes.last_error() if crashed else ""
        if not self.is_host:
            return self._report("crashed" if crashed else "detached", message=error)
        if not self._until_answered(publisher.publish):
            raise _LeaseLost
        if result is None:
            return self._report("crashed" if crashed else "released", message=error)
        step = int(result["step"])
        if result["outcome"] == "stopped":
            outcomes: dict[str, Outcome] = {"pause": "paused", "cancel": "cancelled"}
            return self._report(outcomes.get(self.lease.state, "released"), step)
        if result["outcome"] != "finished":
            return self._report("failed", step, result["message"])
        self._confirm(step)
        result_of = (self.store, self.roster, record, self.folder, step)
        with traces.span("run.publish"):
            end, summary = self._until_answered(lambda: publish_result(*result_of))
        self._confirm(step)
        self._until_answered(lambda: write_end(self.store, record, end))
        self._until_answered(publisher.sweep)
        return self._report("succeeded", step, summary=summary)

    def _report(self, outcome: Outcome, step: int = 0, message: str = "", summary: str = "") -> str:
        """Report the outcome to the roster, and settle a run that has stopped. Returns a line for Flower."""
        report = (self.assignment, self.node, outcome, step, message)
        if not self._until_answered(lambda: self.roster.report(*report)):
            raise _LeaseLost
        with suppress(Unavailable):  # maintenance settles the run later
            settle(self.store, self.roster, self.assignment.run)
        self.outcome = outcome
        parts = [f"{outcome} at step {step}" if step else outcome, summary or message]
        return f"run {self.assignment.run[:6]}: {', '.join(filter(None, parts))}"

    def _until_answered(self, act: Callable[[], T]) -> T:
        """Call ``act``, again after each Unavailable, and return its result. Raises _LeaseLost."""

        def checked() -> T:
            self._check_lease()
            return act()

        return self._retry(checked)

    def _check_lease(self) -> None:
        if self.lease.state == "lost":
            raise _LeaseLost

    def _confirm(self, step: int) -> None:
        """Raise _LeaseLost unless this attempt is still the run's current attempt."""
        if not self._until_answered(lambda: self._counts(step)):
            raise _LeaseLost

    def _counts(self, step: int) -> bool:
        return self.lease.state != "lost" and self.roster.confirm(self.assignment, step)

    def _progress(self) -> dict[str, object]:
        return self.processes.progress() if self.processes and self.is_host else {}

    def _kill(self) -> None:
        if self.processes:
            self.processes.kill()
