"""The process that prepares photographs: ``python -m prodgen.runs.preparer --data DATA --out FOLDER …``.

FOLDER gets progress.json meanwhile; at the end prepared/, samples/, summary.json (what a data set says of
itself) and result.json. left-out.jsonl and set-aside.jsonl among the samples name every picture that is not
used, and why. A crash has another exit code than 0 and leaves no result; begun again, it begins at the
beginning.
"""

import argparse
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

from prodgen.catalog.photographs.clean import DROPPED, SHEET, clean, to_drop
from prodgen.catalog.photographs.inspect import inspect
from prodgen.catalog.photographs.prepare import prepare
from prodgen.catalog.photographs.write import SET_ASIDE
from prodgen.datasets.describe import summarise
from prodgen.runs.child import carry_out, show
from prodgen.runs.files import PREPARED, SUMMARY
from prodgen.training.watch.progress import PROGRESS, RATE, write_json

EVERY = 0.5
"""Seconds between two words on how far it is."""


def main() -> None:
    """Prepare, and say how it ended."""
    parser = argparse.ArgumentParser(prog="prodgen.runs.preparer", description=__doc__)
    parser.add_argument("--size", type=int, required=True, help="side of the cut-outs in pixels")
    parser.add_argument("--drop", required=True, help="flags of pictures to leave out, with commas")
    carry_out(parser, _work)


def _work(options: argparse.Namespace) -> int:
    """Clean, cut out, sum up -> how many pictures there were."""
    data, out, drop = options.data, options.out, [flag for flag in options.drop.split(",") if flag]
    for name in (PREPARED, "cleaned"):  # of a part that was broken off here
        shutil.rmtree(out / name, ignore_errors=True)
    said = Said(out / PROGRESS)
    dropped: list[Any] = []
    if drop:
        inspection = inspect(data, said)
        dropped = to_drop(inspection, drop)
        if dropped:
            clean(data, out / "cleaned", inspection, dropped)
            data = out / "cleaned"
            show(data / SHEET, out, "left-out.png")
            show(data / DROPPED, out, "left-out.jsonl")
            for finding in dropped:
                print(f"left out: {finding.file}: {'; '.join(finding.flags.values())}", flush=True)
    description, aside = prepare(data, out / PREPARED, options.size, said)
    for row in aside:
        print(f"set aside: {row['file']}: {row['reason']}", flush=True)
    for name in ("preview.png", "set-aside.png", SET_ASIDE):
        if (out / PREPARED / name).exists():
            show(out / PREPARED / name, out, name)
    summary = summarise(out / PREPARED, said)
    told = {
        "images": description["splits"],
        "left_out": dict(Counter(flag for finding in dropped for flag in finding.flags if flag in drop)),
        "set_aside": dict(Counter(row["reason"] for row in aside).most_common()),
    }
    write_json(out / SUMMARY, {"summary": summary.model_dump(mode="json"), "metrics": told})
    return len(dropped) + int(description["source_count"])


class Said:
    """Hears how far each part of the work is, and keeps progress.json up with it."""

    def __init__(self, path: Path) -> None:
        self.path, self._doing, self._begun, self._said = path, "", 0.0, 0.0

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """``done`` of ``total`` of this part."""
        now = time.monotonic()
        if what != self._doing:
            self._doing, self._begun, self._said = what, now, 0.0
        if now - self._said < EVERY and done != total:
            return
        self._said = now
        told: dict[str, Any] = {"doing": what, "step": done, "steps": total or done}
        if total and now > self._begun:
            rate = done / (now - self._begun)
            told |= {RATE: rate, "seconds_left": (total - done) / rate if rate else None}
        write_json(self.path, told)


if __name__ == "__main__":
    main()
