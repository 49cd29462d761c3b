"""A campaign of faults: ``make faults SEED=1 ROUNDS=20``, or ``python -m tests.faults.campaign --help``.

A round places orders, makes faults while they are worked on, waits for their end and checks everything.
The seed decides the orders, the faults and their times. Every kind of fault comes equally often. The
processes are real, so the seed does not decide how far they are at these times. Needs the superuser and a C
compiler.
"""

import argparse
import re
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from tests.faults.campaign import rot
from tests.faults.campaign.faults import BOTH, LOCAL, S3, Fault
from tests.faults.campaign.invariants import Invariants
from tests.faults.campaign.orders import Customer
from tests.faults.campaign.report import Report
from tests.faults.campaign.world import WORKERS, Kind, World

SLICE = 10
"""Rounds of one deployment. The next ones have another store."""
ROT, LIAR = "a bit of the store changes", "a worker lies"
TRAINING = "a training node is killed"
KINDS = ("photographs", "images", "images")


def main() -> None:
    """Run a campaign, and exit with 1 if a round finds a defect."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--faults", type=int, default=5, help="faults of a round")
    parser.add_argument("--store", choices=("local", "s3", "both"), default="both")
    parser.add_argument("--fault", default="", help="only faults whose names match this expression")
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
                _slice(folder, kind, numbers, options, report)
    sys.exit(0 if report.summarise() else 1)


def _slice(folder: Path, kind: Kind, numbers: list[int], options: argparse.Namespace, report: Report) -> None:
    """Make some rounds on one deployment."""
    faults = {**BOTH, **(S3 if kind == "s3" else LOCAL)}
    names = sorted(name for name in (*faults, ROT, LIAR) if re.search(options.fault, name))
    with World(folder / kind, kind) as world:
        customer = Customer(world, folder / "customer")
        invariants = Invariants(world, customer)
        for number in numbers:
            chosen = choose(names, options.seed, number, options.faults)
            chance = Random(f"{options.seed}/{number}")
            one = _round(world, customer, invariants, [(n, faults.get(n)) for n in chosen], chance)
            report.add({"round": number, "store": kind} | one)


def choose(names: list[str], seed: int, number: int, count: int) -> list[str]:
    """Return the faults of a round. Each name comes once before any comes again."""
    first = number * count
    shuffles = range(first // len(names), (first + count) // len(names) + 1)
    row = [name for n in shuffles for name in Random(f"{seed}/{n}").sample(names, len(names))]
    return row[first % len(names) :][:count]


def _round(
    world: World,
    customer: Customer,
    invariants: Invariants,
    chosen: list[tuple[str, Fault | None]],
    chance: Random,
) -> dict[str, Any]:
    """Place orders, make the faults, wait, and check. Returns what the report says of the round."""
    begin, before, names = time.monotonic(), len(customer.orders), [name for name, _ in chosen]
    invariants.checked.clear()
    kinds = chance.choices(KINDS, k=len(chosen) + 1)
    if TRAINING in names or chance.random() < 0.2:  # one, since a run takes as long as many orders
        kinds[0] = "run"
    if ROT in names or LIAR in names:  # generated images, in which they are looked for
        kinds[-1] = "images"
    plan = [(kind, chance.uniform(0, 3), Random(chance.random())) for kind in kinds]
    healed, made, failed = begin, list[str](), list[str]()

    def make() -> None:
        nonlocal healed
        for name, fault in chosen:
            time.sleep(chance.uniform(0.2, 3))
            try:
                if fault:
                    fault(world, chance, customer)
                    healed = time.monotonic()
                    made.append(name)
            except Exception as error:
                failed.append(f"{name}: {type(error).__name__}: {str(error)[:400]}")

    with ExitStack() as during:
        liar = chance.choice(WORKERS) if LIAR in names else None
        if liar:
            made.append(LIAR)
            during.enter_context(world.changed(liar, liar=True))
        making = threading.Thread(target=make)
        making.start()
        for kind, pause, one in plan:  # in this thread, because commands run in it
            customer.order(one, kind)
            time.sleep(pause)
        making.join()
        late = customer.follow()
    recovery, mine, notes = time.monotonic() - healed, customer.orders[before:], list[str]()
    defects = [*failed, *(f"{order.kind} {order.id} has not ended: {order.view}" for order in late)]
    if not late and (liar or ROT in names):
        notes, found = rot.mend(world, chance, mine, customer, liar, ROT in names)
        defects += found
        made += [ROT] * (ROT in names)
    if not late or not liar:  # the lies of a round that did not end were not looked for
        defects += invariants.broken([order for order in mine if order not in late], settled=not late)
    return {
        "faults": made,
        "orders": len(mine),
        "seconds": round(time.monotonic() - begin, 1),
        "recovery": round(recovery, 1),
        "checked": {what: number for what, number in sorted(invariants.checked.items()) if number},
        "notes": notes,
        "defects": defects,
    }


if __name__ == "__main__":
    main()
