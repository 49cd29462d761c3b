"""A folder of photographs made into a catalogue of cut-outs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from prodgen.catalog.folder import list_pictures
from prodgen.catalog.photographs.album import draw_preview, draw_set_aside
from prodgen.catalog.photographs.finish import Task, finish
from prodgen.catalog.photographs.judge import judge
from prodgen.catalog.photographs.looks import Looks, Report
from prodgen.catalog.photographs.pool import spread
from prodgen.catalog.photographs.whole import whole_folder
from prodgen.catalog.photographs.write import Row, Written, write_catalogue
from prodgen.catalog.prepared_catalogue import CHANNELS
from prodgen.errors import ProdgenError

CUTTING = "Cutting it out"
NOTHING = "nothing was found that could be cut out"


def prepare(source: Path, out: Path, size: int, report: Report) -> Written:
    """Cut every picture of ``source`` out and write the good ones to ``out`` -> what was written.

    Every picture that is not among them is in ``set-aside.jsonl`` with the reason. ``out`` appears when all
    of it is written. Raises ProdgenError for a folder that holds no pictures, or none that can be cut out.
    """
    listing = list_pictures(source)
    paths = [source / picture.file for picture in listing.pictures]
    with whole_folder(out, beside=source) as folder, TemporaryDirectory(dir=folder) as room:
        looks = Looks(paths, Path(room), report)
        cells = open_memmap(Path(room) / "cells.npy", "w+", np.uint8, (len(paths), size, size, CHANNELS))
        rows = list(_rows(looks, paths, size, cells, report))
        if not any(row.reason is None for row in rows):
            raise ProdgenError(f"none of the {len(rows)} pictures can be cut out: {rows[0].reason}")
        written = write_catalogue(folder, listing, rows, cells)
        draw_preview(folder, listing, rows, cells)
        draw_set_aside(folder, source, listing, rows, cells)
    return written


def _rows(
    looks: Looks, paths: Sequence[Path], size: int, cells: NDArray[np.uint8], report: Report
) -> Iterator[Row]:
    """What becomes of each picture, in order; its pixels go to ``cells``."""
    likely = looks.likely(report)
    sound = [k for k, fault in enumerate(looks.faults) if fault is None]
    tasks = [
        Task(paths[k], size, None if likely is None else np.asarray(likely[k]), np.asarray(looks.masks[k]))
        for k in sound
    ]
    finished = spread(finish, tasks)
    for k, fault in enumerate(looks.faults):
        cut = next(finished) if fault is None else None
        report(CUTTING, k + 1, len(paths))
        if cut is None:
            reason = NOTHING if fault is None else f"it cannot be read: {fault}"
            yield Row(looks.hashes[k], reason, 0.0, None)
        else:
            cells[k], found = cut
            verdict = judge(found.marks)
            yield Row(looks.hashes[k], verdict.reason, verdict.quality, found)
