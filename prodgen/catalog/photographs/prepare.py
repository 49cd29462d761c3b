"""Prepare a folder of photographs: make a catalogue of cut-outs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from prodgen.catalog.folder import list_pictures
from prodgen.catalog.photographs.atomic_folder import atomic_folder
from prodgen.catalog.photographs.catalogue_writer import Outcome, write_catalogue
from prodgen.catalog.photographs.cut_out import Task, cut_out
from prodgen.catalog.photographs.first_pass import FirstPass
from prodgen.catalog.photographs.process_pool import Report, map_in_processes
from prodgen.catalog.photographs.quality import assess
from prodgen.catalog.prepared_catalogue import CHANNELS
from prodgen.errors import ProdgenError

_STAGE = "Cutting the products out"


def prepare(
    source: Path, out: Path, size: int, report: Report
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Cut every picture of ``source`` out and write the good cut-outs, ``size`` pixels wide, to ``out``.

    ``out`` appears when all of it is written. Returns the content of ``catalogue.json`` and the rows of
    ``set-aside.jsonl``, which has the other pictures with the reason for each. Raises ProdgenError for a
    folder without pictures, or if none of them can be cut out.
    """
    listing = list_pictures(source)
    paths = [source / picture.file for picture in listing.pictures]
    with atomic_folder(out, source) as folder, TemporaryDirectory(dir=folder) as temporary:
        shape = len(paths), size, size, CHANNELS
        images = open_memmap(Path(temporary) / "images.npy", "w+", np.uint8, shape)
        first_pass = FirstPass(paths, Path(temporary), report)
        outcomes = list(_cut_out_all(first_pass, paths, images, report))
        if not any(outcome.kept for outcome in outcomes):
            raise ProdgenError(f"none of the {len(outcomes)} pictures can be cut out: {outcomes[0].reason}")
        return write_catalogue(folder, source, listing, outcomes, images)


def _cut_out_all(
    first_pass: FirstPass, paths: Sequence[Path], images: NDArray[np.uint8], report: Report
) -> Iterator[Outcome]:
    """Yield the outcome of each picture in order, and write the pixels of its cut-out to ``images``."""
    probabilities = first_pass.product_probabilities()
    tasks = []
    for k in first_pass.sha256s:
        probability = None if probabilities is None else np.asarray(probabilities[k])
        tasks.append(Task(paths[k], images.shape[1], probability, np.asarray(first_pass.masks[k])))
    cut_outs = map_in_processes(cut_out, tasks, _STAGE, report)
    for k in range(len(paths)):
        fault, sha256 = first_pass.faults.get(k), first_pass.sha256s.get(k, "")
        found = None if fault else next(cut_outs)
        if found is None:
            reason = f"it cannot be read: {fault}" if fault else "nothing was found that could be cut out"
            yield Outcome(sha256, reason, 0.0, None)
        else:
            images[k], description = found
            yield Outcome(sha256, *assess(description.features), description)
