"""A campaign of faults: ``make faults SEED=1 ROUNDS=20``, or ``python -m tests.faults.campaign --help``.

A round places orders, makes one fault while they are worked on, waits for their end and checks everything.
The seed decides the orders, the faults and their times. The processes are real, so the seed does not decide
how far they are at these times. Needs the superuser and a C compiler.
"""

import argparse
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from tests.faults.campaign import faults, rot
from tests.faults.campaign.invariants import Invariants
from tests.faults.campaign.orders import Customer
from tests.faults.campaign.report import Report
from tests.faults.campaign.world import WORKERS, Kind, World

SLICE = 10
"""Rounds of one deployment. The next ones have another store."""
ROT, LIAR = "a bit of the store changes", "a worker lies"
RARE = ("run", "photographs", "photographs", "images", "images", "images")


def main() -> None:
    """Run a campaign, and exit with 1 if a round finds a defect."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--store", choices=("local", "s3", "both"), default="both")
    parser.add_argument("--fault", help="the only fault, by a part of its name")
    parser.add_argument("--report", type=Path, default=Path("faults.json"), help="continued if it exists")
    parser.add_argument("--folder", type=Path, help="where data and logs stay (default: a temporary folder)")
    options = parser.parse_args()
    report = Report(options.report, options.seed, options.rounds)
    for first in range(0, options.rounds, SLICE):
        numbers = [n for n in range(first, min(first + SLICE, options.rounds)) if not report.has(n)]
        kind: Kind = (
            "s3" if options.store == "s3" or (options.store == "both" and first // SLICE % 2) else "local"
        )
        if numbers:
            with ExitStack() as stack:
                folder = options.folder / str(first) if options.folder else None
                folder = folder or Path(stack.enter_context(TemporaryDirectory()))
                _slice(folder, kind, options.seed, numbers, options.fault or "", report)
    sys.exit(0 if report.summarise() else 1)


def _slice(folder: Path, kind: Kind, seed: int, numbers: list[int], fault: str, report: Report) -> None:
    """Make some rounds on one deployment."""
    known: dict[str, Any] = {**faults.BOTH, **(faults.S3 if kind == "s3" else faults.LOCAL)}
    names = sorted(name for name in (*known, ROT, LIAR) if fault in name)
    with World(folder / kind, kind) as world:
        customer = Customer(world, folder / "customer")
        invariants = Invariants(world, customer)
        for number in numbers:
            chance = Random(f"{seed}/{number}")
            name = chance.choice(names)
            report.add(
                {"round": number, "store": kind, "fault": name}
                | _round(world, customer, invariants, name, known.get(name), chance)
            )


def _round(
    world: World, customer: Customer, invariants: Invariants, name: str, fault: Any, chance: Random
) -> dict[str, Any]:
    """Place orders, make the fault, wait, and check. Returns what the report says of the round."""
    begin, before, notes = time.monotonic(), len(customer.orders), list[str]()
    invariants.checked.clear()
    kinds = ["images", "run" if name.startswith("a training") else chance.choice(RARE), "images"]
    plan = [(kind, chance.uniform(0, 2), Random(chance.random())) for kind in kinds]
    healed = [begin]

    def make() -> None:
        time.sleep(chance.uniform(0.5, 4))
        fault(world, chance, customer)
        healed.append(time.monotonic())

    with ExitStack() as during:
        liar = chance.choice(WORKERS) if name == LIAR else None
        if liar:
            during.enter_context(world.changed(liar, liar=True))
        making = threading.Thread(target=make)
        if fault:
            making.start()
        for kind, pause, one in plan:  # in this thread, because commands run in it
            customer.order(one, "images" if name in (ROT, LIAR) else kind)
            time.sleep(pause)
        if fault:
            making.join()
        defects = [f"{o.kind} {o.id} has not ended: {o.view}" for o in customer.follow()]
    recovery, mine = time.monotonic() - healed[-1], customer.orders[before:]
    if fault and len(healed) == 1:
        defects.append("the fault could not be made; see the output")
    if name in (ROT, LIAR) and not defects:
        notes, found = rot.mend(world, chance, mine, customer, liar)
        defects += found
    if not defects:
        defects += invariants.broken(mine)
    seconds = time.monotonic() - begin
    sums = {what: number for what, number in sorted(invariants.checked.items()) if number}
    return {
        "orders": len(mine),
        "seconds": round(seconds, 1),
        "recovery": round(recovery, 1),
        "checked": sums,
        "notes": notes,
        "defects": defects,
    }


if __name__ == "__main__":
    main()
