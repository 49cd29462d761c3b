"""Keep the cut-outs of an interrupted preparation, so that the same command goes on where it stopped."""

import json
import shutil
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from prodgen import __version__
from prodgen.catalog.photographs.catalogue_writer import Outcome, create_array
from prodgen.catalog.photographs.cut_out import Description
from prodgen.catalog.photographs.quality import Features
from prodgen.catalog.prepared_catalogue import CHANNELS


class KeptCuts:
    """The first cut-outs and outcomes of a preparation, in a hidden folder beside the catalogue ``out``.

    Starts empty if there are none, or if they were made otherwise: of other files, or with other options.
    ``images``: the cut-outs of all N photographs, (N, size, size, CHANNELS). ``outcomes``: those of the
    first photographs, which are done.
    """

    def __init__(self, out: Path, paths: Sequence[Path], size: int, cutter: str) -> None:
        self._folder = out.absolute().parent / f".{out.name}.cuts"
        self._lines = self._folder / "outcomes.jsonl"
        files = [(str(path), stat.st_size, stat.st_mtime_ns) for path in paths for stat in [path.stat()]]
        made_of = json.dumps({"prodgen": __version__, "size": size, "cutter": cutter, "files": files})
        key, array = self._folder / "made-of.json", self._folder / "images.npy"
        self.outcomes: list[Outcome] = []
        with suppress(OSError, ValueError):
            if key.read_text() == made_of:
                self.images = np.asarray(open_memmap(array, "r+"))
                self.outcomes = [*self._read()]
        if not self.outcomes:
            self.remove()
            self._folder.mkdir(parents=True)
            self.images = create_array(array, (len(paths), size, size, CHANNELS))
            key.write_text(made_of)
        self._lines.write_text("".join(map(self._line, range(len(self.outcomes)), self.outcomes)))

    def add(self, outcomes: Iterator[Outcome]) -> None:
        """Append ``outcomes``. The cut-out of each must be in ``images`` when the iterator yields it."""
        with self._lines.open("a") as file:
            for outcome in outcomes:
                file.write(self._line(len(self.outcomes), outcome))
                file.flush()
                self.outcomes.append(outcome)

    def remove(self) -> None:
        """Delete all that is kept."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _line(self, row: int, outcome: Outcome) -> str:
        return json.dumps([self._checksum(row), outcome]) + "\n"

    def _read(self) -> Iterator[Outcome]:
        """Yield the outcomes of the first photographs whose cut-outs are whole."""
        with suppress(ValueError):  # a process that was killed may leave half a line
            for row, line in enumerate(self._lines.read_text().splitlines()):
                checksum, (sha256, reason, quality, description) = json.loads(line)
                if checksum != self._checksum(row):
                    return
                if description:
                    features, *others = description
                    description = Description(Features(*features), *others)
                yield Outcome(sha256, reason, quality, description)

    def _checksum(self, row: int) -> int:
        return zlib.crc32(self.images[row])
