"""Progress of long commands on stderr: bars in a terminal, a line every 30 seconds in a log."""

import threading
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID
from rich.table import Column
from rich.text import Text

from prodgen.cli.output import console, remark

LOG_SECONDS = 30.0
"""Seconds between two lines of progress if stderr is not a terminal."""
RATE_SECONDS = 300.0
"""The rate is that of the last so many seconds. Processes may report rarely, and then much work at once."""


class ProgressBars(Progress):
    """Shows a progress bar for each piece of work that `report` names, with the time left.

    If stderr is not a terminal, prints a line about the latest work every `LOG_SECONDS` instead. Shows
    nothing if ``quiet``. ``in_bytes``: the counts are bytes. ``estimate``: show the time left.
    """

    def __init__(self, quiet: bool, *, in_bytes: bool = False, estimate: bool = True) -> None:
        bar = BarColumn(None, table_column=Column(ratio=1))
        columns = (_Name(table_column=Column(overflow="ellipsis")), bar, _State(in_bytes, estimate))
        self._bars: dict[str, TaskID] = {}
        self._note, self._in_bytes, self._estimate = "", in_bytes, estimate
        self._ended = threading.Event()
        in_log = not quiet and not console.is_terminal
        self._log = threading.Thread(target=self._print_lines, daemon=True) if in_log else None
        disabled = quiet or in_log
        super().__init__(
            *columns, console=console, expand=True, disable=disabled, speed_estimate_period=RATE_SECONDS
        )

    def __enter__(self) -> Self:
        if self._log:
            self._log.start()
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._log:
            self._log.join()
        super().__exit__(kind, error, traceback)

    def report(self, work: str, done: int, total: int | None, note: str = "") -> None:
        """Show that ``done`` of ``total`` (None: unknown) of ``work`` is done, with ``note`` below the bars.

        The first call with a new ``work`` marks earlier work of unknown size as done.
        """
        if work not in self._bars:
            for task in self.tasks:
                if task.total is None:
                    self.update(task.id, total=1, completed=1, size=None)
            self._bars[work] = self.add_task(work, total=total, completed=done, size=total)
            self.advance(self._bars[work], 0)  # from here on, the rate is measured
        self._note = note
        self.update(self._bars[work], completed=done, total=total, size=total)

    def get_renderable(self) -> RenderableType:
        """Return the bars, with the latest note below."""
        bars = super().get_renderable()
        note = Text(f"  {self._note}", style="dim", no_wrap=True, overflow="ellipsis")
        return Group(bars, note) if self._note else bars

    def _print_lines(self) -> None:
        while not self._ended.wait(LOG_SECONDS):
            with self._lock:
                shown = [(task, state(task, self._in_bytes, self._estimate)) for task in self.tasks[-1:]]
            for task, line in shown:
                remark(f"{task.description.strip()}: {line}  {self._note}".rstrip())


class _Name(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(task.description, no_wrap=True, overflow="ellipsis")


class _State(ProgressColumn):
    def __init__(self, in_bytes: bool, estimate: bool) -> None:
        self.in_bytes, self.estimate = in_bytes, estimate
        super().__init__(Column(no_wrap=True, justify="right"))

    def render(self, task: Task) -> Text:
        return Text(state(task, self.in_bytes, self.estimate))


def state(task: Task, in_bytes: bool, estimate: bool) -> str:
    """Return the progress as text: done/size, percent, rate and, with ``estimate``, the time left.

    If the size is unknown, returns the time so far. ``in_bytes``: the counts are bytes.
    """
    size: int | None = task.fields["size"]
    passed = timedelta(seconds=round(task.finished_time or task.elapsed or 0))
    if size is None:
        return str(passed)
    count = decimal if in_bytes else "{:,}".format
    parts = [f"{count(int(task.completed))}/{count(size)}", f"{task.completed / max(1, size):4.0%}"]
    if task.finished:
        return "  ".join([*parts, str(passed)])
    if rate := task.speed:
        shown = decimal(int(rate)) if in_bytes else f"{rate:,.0f}" if rate >= 100 else f"{rate:.2g}"
        parts.append(f"{shown}/s")
        if estimate:
            parts.append(f"{timedelta(seconds=round((size - task.completed) / rate))} left")
    return "  ".join(parts)
