"""Progress bars."""

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
    """One bar for each kind of work, from its first report on; nothing where no person watches.

    ``count`` shows how much is done.
    """

    def __init__(self, quiet: bool, count: ProgressColumn | None = None) -> None:
        text = TextColumn("{task.description}", markup=False)
        columns = (text, BarColumn(), count or MofNCompleteColumn(), TimeRemainingColumn())
        super().__init__(*columns, console=console, disable=quiet or not console.is_terminal)
        self._bars: dict[str, TaskID] = {}

    def report(self, work: str, done: int, total: int | None, note: str = "") -> None:
        """Show how much of the work is done, of how much in all if that is known."""
        if work not in self._bars:
            self._bars[work] = self.add_task(work)
        self.update(self._bars[work], completed=done, total=total, description=f"{work}  {note}".strip())
