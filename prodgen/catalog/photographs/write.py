"""The files of a prepared catalogue, of which `prodgen.catalog.prepared_catalogue` is the reader."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from prodgen import __version__
from prodgen.catalog.listing import SPLITS, Listing, Picture
from prodgen.catalog.photographs.finish import Finished
from prodgen.catalog.photographs.lines import write_lines
from prodgen.catalog.photographs.pattern import pattern_of
from prodgen.catalog.prepared_catalogue import CHANNELS, DESCRIPTION, FORMAT

SET_ASIDE = "set-aside.jsonl"
_OWN = ("file", "sha256", "colour", "colours", "quality", "coverage")
"""What a row says of every picture, which an attribute cannot be called."""


class Row(NamedTuple):
    """What becomes of a picture. ``reason``: why it is set aside, or None; ``found`` is then there."""

    sha256: str
    reason: str | None
    quality: float
    found: Finished | None

    @property
    def kept(self) -> Finished:
        """What is known of a picture that is not set aside."""
        if self.reason is not None or self.found is None:
            raise ValueError("it is set aside")
        return self.found


class Written(NamedTuple):
    """``description`` is what ``catalogue.json`` says, ``aside`` what ``set-aside.jsonl`` does."""

    description: dict[str, Any]
    aside: list[dict[str, Any]]


def write_catalogue(folder: Path, listing: Listing, rows: Sequence[Row], cells: NDArray[np.uint8]) -> Written:
    """Write all but the sheets. ``cells`` (N, S, S, 4) has the pixels of those kept."""
    names = {name: f"{name}_label" if name in _OWN else name for name in listing.values}
    both = list(zip(listing.pictures, rows, strict=True))
    lines = {
        split: [_line(p, names, row) for p, row in both if p.split == split and row.reason is None]
        for split in SPLITS
    }
    said = hashlib.sha256()
    for split in filter(lines.get, SPLITS):
        kept = [k for k, (p, row) in enumerate(both) if p.split == split and row.reason is None]
        _write_images(folder / f"{split}.npy", cells, kept)
        write_lines(folder / f"{split}.jsonl", lines[split])
        for kind in ("npy", "jsonl"):
            with (folder / f"{split}.{kind}").open("rb") as file:
                said.update(hashlib.file_digest(file, "sha256").digest())
    aside = [
        {"file": p.file, "split": p.split, "reason": row.reason, "quality": round(row.quality, 3)}
        for p, row in both
        if row.reason is not None
    ]
    write_lines(folder / SET_ASIDE, aside)
    description = {
        "format": FORMAT,
        "kind": "prepared",
        "size": cells.shape[1],
        "channels": CHANNELS,
        "attributes": _values([*names.values(), "pattern"], lines),
        "splits": {split: len(listed) for split, listed in lines.items() if listed},
        "digest": said.hexdigest()[:12],
        "prodgen": __version__,
        "source_count": len(rows),
        "set_aside_count": len(aside),
    }
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n")
    return Written(description, aside)


def _values(names: Sequence[str], lines: dict[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
    """Every value of every attribute that some picture still has."""
    found = {
        name: sorted({line[name] for listed in lines.values() for line in listed if line.get(name)})
        for name in names
    }
    return {name: values for name, values in found.items() if values}


def _line(picture: Picture, names: dict[str, str], row: Row) -> dict[str, Any]:
    cut = row.kept
    return {
        "file": picture.file,
        "sha256": row.sha256,
        "pattern": pattern_of(cut.variation),
        **{names[name]: value for name, value in picture.known.items()},
        "colour": cut.colour,
        "colours": cut.colours,
        "quality": round(row.quality, 3),
        "coverage": cut.coverage,
    }


def _write_images(path: Path, cells: NDArray[np.uint8], rows: Sequence[int]) -> None:
    images = open_memmap(path, "w+", np.uint8, (len(rows), *cells.shape[1:]))
    for to, row in enumerate(rows):
        images[to] = cells[row]
    images.flush()
