"""Progress bars that appear as the things they stand for begin."""

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from prodgen.cli.remote import console


class Bars(Progress):
    """A bar for each thing that is done; ``count`` says how much of it, in pictures or in bytes."""

    def __init__(self, quiet: bool, count: ProgressColumn | None = None) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), count or MofNCompleteColumn())
        super().__init__(*columns, TimeRemainingColumn(), console=console, disable=quiet)
        self._bars: dict[str, TaskID] = {}

    def report(self, what: str, done: int, total: int | None) -> None:
        """Hear (what is being done, done, total)."""
        if what not in self._bars:
            self._bars[what] = self.add_task(what)
        self.update(self._bars[what], completed=done, total=total)
