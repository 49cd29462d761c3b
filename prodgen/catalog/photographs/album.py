"""The two contact sheets of a prepared catalogue."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.listing import Listing
from prodgen.catalog.photographs.pattern import pattern_of
from prodgen.catalog.photographs.sheets import chosen, on_checks, photograph, sheet, with_colours
from prodgen.catalog.photographs.write import Row

PREVIEW, SET_ASIDE = "preview.png", "set-aside.png"


def draw_preview(folder: Path, listing: Listing, rows: Sequence[Row], cells: NDArray[np.uint8]) -> None:
    """Cut-outs that are kept, over their colours, what they are and how good."""
    images, labels = [], []
    for k in chosen([k for k, row in enumerate(rows) if row.reason is None]):
        cut, known = rows[k].kept, listing.pictures[k].known.values()
        parts = [(colour["lab"], colour["share"]) for colour in cut.colours]
        images.append(with_colours(on_checks(cells[k]), parts))
        labels.append(" ".join(filter(None, [*known, pattern_of(cut.variation), f"{rows[k].quality:.2f}"])))
    sheet(folder / PREVIEW, images, labels, 12)


def draw_set_aside(
    folder: Path, source: Path, listing: Listing, rows: Sequence[Row], cells: NDArray[np.uint8]
) -> None:
    """What is set aside, each photograph beside its cut-out, with the reason and the quality."""
    images, labels = [], []
    for k in chosen([k for k, row in enumerate(rows) if row.reason is not None]):
        images += [photograph(source / listing.pictures[k].file), on_checks(cells[k])]
        labels += [rows[k].reason or "", f"quality {rows[k].quality:.2f}"]
    if images:
        sheet(folder / SET_ASIDE, images, labels, 12)
