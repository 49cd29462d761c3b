"""Check what a campaign of faults left in the store: each image once, none lost, and the right pixels."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from prodgen.generation.encode import decode
from prodgen.pipeline import Pipeline, make_spec
from prodgen.storage.base import Store
from tests.faults.whole import assert_once

if TYPE_CHECKING:
    from tests.bench.campaign import Order

SAMPLE = 200
"""The most images of an order that are generated again. Every fourth order is sampled."""


def check_orders(store: Store, orders: list[Order]) -> bool:
    """Check every order, print a table of counts, the defects and a verdict; return whether all is well."""
    counts, defects = Counter[str](), list[str]()
    with Pipeline.from_pretrained("fashion-mnist", device="cpu") as pipeline:
        for number, order in enumerate(orders):
            state = order.view.get("state", "unknown")
            counts[f"orders {state}"] += 1
            if state != ("cancelled" if order.cancelled else "succeeded") and not (
                order.cancelled and state == "succeeded"  # it ended before the cancel
            ):
                defects.append(f"{order.id} of {order.spec['count']} images is {state}: {order.view}")
                continue
            total = order.spec["count"]
            try:
                files = assert_once(store, order.id, total if state == "succeeded" else None, order.tenant)
            except AssertionError as error:
                defects.append(f"{order.id} ({state}, {total} images): {str(error)[:300] or 'not whole'}")
                continue
            counts["images in the store"] += len(files)
            if number % 4 == 0 and state == "succeeded":
                defects += _differences(pipeline, order, files, counts)
    for what, count in sorted(counts.items()):
        print(f"{count:8}  {what}")
    for defect in defects:
        print(f"DEFECT  {defect}")
    print("all is well" if not defects else f"{len(defects)} defects")
    return not defects


def _differences(
    pipeline: Pipeline, order: Order, files: dict[str, bytes], counts: Counter[str]
) -> list[str]:
    """Generate the first images of an order again; return those that differ by more than one level."""
    fields = {name: value for name, value in order.spec.items() if name not in ("priority", "output")}
    found = []
    for line, data in islice(pipeline.stream(make_spec(**{**fields, "model": pipeline.model.id})), SAMPLE):
        same = files[line.file] == data
        counts["images made again, equal bytes" if same else "images made again, other bytes"] += 1
        if not same:
            stored, made = (decode(file).astype(int) for file in (files[line.file], data))
            levels = int(np.abs(stored - made).max())
            if levels > 1:
                found.append(f"image {line.index} of {order.id} differs by {levels} levels of 255")
    return found
