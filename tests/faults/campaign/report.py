"""The report of a campaign: a JSON file that grows by a round at a time, a line of progress, and a table."""

import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any


class Report:
    """Holds the results of rounds. Rounds that the file holds already are not made again."""

    def __init__(self, path: Path, seed: int, rounds: int) -> None:
        self.path, self.seed, self.total = path, seed, rounds
        self.rounds: list[dict[str, Any]] = []
        if path.exists():
            content = json.loads(path.read_text())
            if content["seed"] != seed:
                raise SystemExit(f"{path} is the report of seed {content['seed']}; name another file")
            self.rounds = content["rounds"]
        self._begin, self._before = time.monotonic(), len(self.rounds)

    def has(self, number: int) -> bool:
        """Return whether a round was made already."""
        return any(one["round"] == number for one in self.rounds)

    def add(self, one: dict[str, Any]) -> None:
        """Store the result of a round, and print it with the rate and the time left."""
        self.rounds.append(one)
        partial = self.path.with_suffix(".part")
        partial.write_text(json.dumps({"seed": self.seed, "rounds": self.rounds}, indent=1))
        os.replace(partial, self.path)
        done = len(self.rounds) - self._before
        rate = done / (time.monotonic() - self._begin)
        left = (self.total - len(self.rounds)) / rate / 60
        print(
            f"{len(self.rounds)}/{self.total}  round {one['round']} ({one['store']}): "
            f"{', '.join(one['faults'])}: "
            f"{one['orders']} orders in {one['seconds']:.0f} s, {one['recovery']:.0f} s after the last; "
            f"{60 * rate:.1f} rounds a minute, {left:.0f} min left",
            flush=True,
        )
        for note in one["notes"]:
            print(f"    {note}", flush=True)
        for defect in one["defects"]:
            print(f"    DEFECT  {defect}", flush=True)

    def summarise(self) -> bool:
        """Print the sums and a table of the faults. Returns whether no round has a defect."""
        counts, bad, sums = Counter[str](), Counter[str](), Counter[str]()
        for one in self.rounds:
            counts.update(one["faults"])
            bad.update(set(one["faults"]) if one["defects"] else ())
            sums.update(one["checked"])
        print(f"{counts.total()} faults in {len(self.rounds)} rounds; checked: {dict(sums)}")
        print("faults  in rounds with a defect")
        for name in sorted(counts):
            print(f"{counts[name]:6}  {bad[name]:23}  {name}")
        return not bad
