"""The process that prepares photographs: ``python -m prodgen.runs.preparer --data DATA --out FOLDER …``.

It keeps FOLDER/progress.json up to date. At the end FOLDER has prepared/ (the data set), its summary.json,
samples/ and result.json. The samples left-out.jsonl and set-aside.jsonl name every picture that is not used,
and why. A crash leaves no result, and the next process starts from the beginning.
"""

import argparse
import json
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

from prodgen.catalog.photographs.catalogue_writer import SET_ASIDE
from prodgen.catalog.photographs.inspection import DROPPED, DROPPED_SHEET, clean, inspect, to_drop
from prodgen.catalog.photographs.merges import parse_merges
from prodgen.catalog.photographs.prepare import prepare
from prodgen.datasets.summary import summarise
from prodgen.photographs.catalogue_cuts import choose_cutter
from prodgen.runs.child import add_sample, execute, log
from prodgen.runs.files import PREPARED, SUMMARY
from prodgen.training.watch.metrics import PROGRESS, RATE, write_json

EVERY = 0.5
"""Seconds between two updates of progress.json."""


def main() -> None:
    """Prepare photographs, and write the result."""
    parser = argparse.ArgumentParser(prog="prodgen.runs.preparer", description=__doc__)
    parser.add_argument("--size", type=int, required=True, help="side of the cut-outs in pixels")
    parser.add_argument("--drop", required=True, help="flags of pictures to leave out, with commas")
    parser.add_argument("--merge", required=True, help="a JSON list of categories to merge")
    parser.add_argument("--cutter", help="grabcut or u2netp (default: the best here)")
    execute(parser, _work)


def _work(options: argparse.Namespace) -> int:
    """Leave out flagged pictures, cut out the other products, and return the number of all pictures."""
    data, out, drop = options.data, options.out, [flag for flag in options.drop.split(",") if flag]
    for name in (PREPARED, "cleaned"):  # of an attempt that crashed on this node
        shutil.rmtree(out / name, ignore_errors=True)
    progress = Progress(out / PROGRESS)
    dropped: list[Any] = []
    if drop:
        inspection = inspect(data, progress)
        dropped = to_drop(inspection, drop)
        if dropped:
            clean(data, out / "cleaned", inspection, dropped)
            data = out / "cleaned"
            add_sample(data / DROPPED_SHEET, out, "left-out.png")
            add_sample(data / DROPPED, out, "left-out.jsonl")
            for finding in dropped:
                log.info("left out: %s: %s", finding.file, "; ".join(finding.flags.values()))
    merges = parse_merges(json.loads(options.merge))
    cutter = choose_cutter(options.cutter)
    description, aside = prepare(data, out / PREPARED, options.size, progress, cutter=cutter, merges=merges)
    for row in aside:
        log.info("set aside: %s: %s", row["file"], row["reason"])
    for name in ("preview.png", "set-aside.png", SET_ASIDE):
        if (out / PREPARED / name).exists():
            add_sample(out / PREPARED / name, out, name)
    summary = summarise(out / PREPARED, progress)
    metrics = {
        "images": description["splits"],
        "left_out": dict(Counter(flag for finding in dropped for flag in finding.flags if flag in drop)),
        "set_aside": dict(Counter(row["reason"] for row in aside).most_common()),
    }
    write_json(out / SUMMARY, {"summary": summary.model_dump(mode="json"), "metrics": metrics})
    return len(dropped) + int(description["source_count"])


class Progress:
    """Writes progress.json at ``path`` for each stage of the work."""

    def __init__(self, path: Path) -> None:
        self.path, self._stage, self._began, self._written = path, "", 0.0, 0.0

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Record that ``done`` of the ``total`` pictures of a stage are done."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began, self._written = stage, now, 0.0
        if now - self._written < EVERY and done != total:
            return
        self._written = now
        progress: dict[str, Any] = {"doing": stage, "step": done, "steps": total or done}
        if total and now > self._began:
            rate = done / (now - self._began)
            progress |= {RATE: rate, "seconds_left": (total - done) / rate if rate else None}
        write_json(self.path, progress)


if __name__ == "__main__":
    main()
