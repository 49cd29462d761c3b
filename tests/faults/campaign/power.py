"""Power loss: what processes wrote and did not flush is lost, as the journal of ``power.c`` tells.

The disk keeps of a file what was flushed (``fsync``), and a random part of the rest. It keeps the changes of
a folder (a new name, a replaced or a removed file) that were made before the folder was flushed, and of the
rest a random number of the first ones. POSIX allows a file system to lose all of this; most lose less.
"""

import os
import random
import shutil
import subprocess
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("power.c")


@dataclass(frozen=True)
class Change:
    """A change of the folder ``folder``: its place in the journal, its kind, and its paths."""

    at: int
    kind: str
    path: Path
    target: Path
    kept: Path

    @property
    def folder(self) -> Path:
        return (self.target if self.kind == "rename" else self.path).parent

    def undo(self) -> None:
        """Restore what was there before the change."""
        with suppress(OSError):  # the folder is lost, too
            if self.kind == "rename":
                os.rename(self.target, self.path)
                self._restore(self.target)
            elif self.kind == "mkdir":
                shutil.rmtree(self.path)
            elif self.kind == "rmdir":
                self.path.mkdir()
            else:
                self._restore(self.path)

    def _restore(self, path: Path) -> None:
        if self.kept.name:
            os.link(self.kept, path)


class Disk:
    """The files below ``root``. ``journal``, a folder of the same file system, records their changes."""

    def __init__(self, root: Path, journal: Path) -> None:
        self.root, self.journal = root, journal
        self.library = journal / "power.so"
        journal.mkdir(parents=True)
        command = ("cc", "-O1", "-shared", "-fPIC", "-o", self.library, SOURCE, "-ldl")
        subprocess.run(command, check=True, capture_output=True)
        self.settle()

    def environment(self, skew: int = 0) -> dict[str, str]:
        """Return the variables by which a process is watched. Its clock is ``skew`` seconds wrong."""
        watch = {"LD_PRELOAD": str(self.library), "POWER_ROOT": str(self.root)}
        return watch | {"POWER_JOURNAL": str(self.journal), "CLOCK_SKEW": str(skew)}

    def settle(self) -> None:
        """Take all that is there as flushed, and begin a new journal. No watched process may run."""
        shutil.rmtree(self.journal / "kept", ignore_errors=True)
        (self.journal / "kept").mkdir()
        (self.journal / "log").write_bytes(b"")
        self._flushed = {status.st_ino: status.st_size for _, status in self._files()}

    def lose_power(self, chance: random.Random) -> tuple[int, int]:
        """Lose what was not flushed. Returns the numbers of changes undone and of files cut.

        All watched processes must have been killed.
        """
        changes = self._read_journal()
        lost = list[Change]()
        for pending in changes.values():
            lost += pending[chance.choice((0, chance.randrange(len(pending) + 1))) :]
        for change in sorted(lost, key=lambda change: change.at, reverse=True):
            change.undo()
        cut = 0
        for path, status in self._files():
            flushed = self._flushed.get(status.st_ino, 0)
            if status.st_size > flushed:
                os.truncate(path, chance.choice((flushed, chance.randint(flushed, status.st_size))))
                cut += 1
        self.settle()
        return len(lost), cut

    def _read_journal(self) -> dict[Path, list[Change]]:
        """Return the changes of each folder that were not flushed, in their order; note what was of files."""
        pending, at = defaultdict[Path, list[Change]](list), 0
        for line in (self.journal / "log").read_bytes().splitlines(keepends=True):
            kind, first, second, third = line.decode().rstrip("\n").split("\t")
            if kind == "file":
                self._flushed[int(second)] = max(int(third), self._flushed.get(int(second), 0))
            elif kind == "folder":
                folder = Path(first)
                pending[folder] = [change for change in pending[folder] if change.at >= int(second)]
            else:
                kept = Path("" if third == "-" else third)
                change = Change(at, kind, Path(first), Path(second), kept)
                pending[change.folder].append(change)
            at += len(line)
        return pending

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        found = (Path(place, name) for place, _, names in os.walk(self.root) for name in names)
        return [(path, path.lstat()) for path in found if not path.is_symlink() and path.is_file()]
