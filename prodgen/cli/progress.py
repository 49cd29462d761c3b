"""Progress bars on stderr for long commands."""

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from prodgen.cli.output import console


class ProgressBars(Progress):
    """A progress bar for each name of work that `report` is called with.

    Shows nothing if ``quiet``, or if stderr is no terminal. ``count`` is the column that shows how much is
    done (default: "done/total").
    """

    def __init__(self, quiet: bool, count: ProgressColumn | None = None) -> None:
        text = TextColumn("{task.description}", markup=False)
        columns = (text, BarColumn(), count or MofNCompleteColumn(), TimeRemainingColumn())
        super().__init__(*columns, console=console, disable=quiet or not console.is_terminal)
        self._bars: dict[str, TaskID] = {}

    def report(self, work: str, done: int, total: int | None, note: str = "") -> None:
        """Show ``done`` of ``total`` (None: unknown) on the bar of ``work``, with ``note`` after its name."""
        if work not in self._bars:
            self._bars[work] = self.add_task(work)
        self.update(self._bars[work], completed=done, total=total, description=f"{work}  {note}".strip())
