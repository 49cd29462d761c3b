"""Write a prepared catalogue, which `prodgen.catalog.prepared_catalogue` reads, and two contact sheets."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from prodgen import __version__
from prodgen.catalog.listing import SPLITS, Listing, Picture
from prodgen.catalog.photographs.cut_out import Description
from prodgen.catalog.photographs.sheets import draw_sheet, load_photograph, on_checkerboard, sample
from prodgen.catalog.prepared_catalogue import CHANNELS, DESCRIPTION, FORMAT, write_jsonl
from prodgen.errors import ProdgenError

SET_ASIDE = "set-aside.jsonl"
_RESERVED = ("file", "sha256", "colour", "colours", "quality", "coverage")
"""Keys of every row of ``{split}.jsonl``; an attribute of the same name gets the suffix ``_label``."""


class Outcome(NamedTuple):
    """The result for a picture: ``reason`` says why the picture is set aside, or is None if it is kept."""

    sha256: str
    reason: str | None
    quality: float
    description: Description | None


def create_array(file: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Create a ``.npy`` file, and return it as a memory-mapped array of bytes.

    The disk space is reserved first, because writing to a mapped file on a full disk kills the process.
    Raises OSError if the disk has too little space.
    """
    array = open_memmap(file, "w+", np.uint8, shape)
    with file.open("r+b") as opened:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
    return np.asarray(array)


def write_catalogue(
    folder: Path,
    source: Path,
    listing: Listing,
    outcomes: Sequence[Outcome],
    images: NDArray[np.uint8],
    made_with: dict[str, Any],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Write the cut-outs of N pictures to ``folder``, as an array and a table for each split.

    Also writes ``catalogue.json``, ``set-aside.jsonl`` and two contact sheets. ``listing``: the pictures in
    the folder ``source``. ``outcomes`` and ``images`` (N, S, S, 4): the measurements and the cut-out of each
    picture; an outcome with a reason sets the picture aside. ``made_with``: more entries of
    ``catalogue.json``. Returns the content of ``catalogue.json``, and a row of ``set-aside.jsonl`` for each
    picture that is set aside. Raises ProdgenError if every picture is set aside.
    """
    if all(outcome.reason for outcome in outcomes):
        raise ProdgenError(f"none of the {len(outcomes)} pictures can be cut out: {outcomes[0].reason}")
    names = {name: f"{name}_label" if name in _RESERVED else name for name in listing.values}
    pairs = list(zip(listing.pictures, outcomes, strict=True))
    rows, digest = {}, hashlib.sha256()
    for split in SPLITS:
        kept = [
            k for k, (picture, outcome) in enumerate(pairs) if picture.split == split and not outcome.reason
        ]
        if not kept:
            continue
        rows[split] = [_row(*pairs[k], names) for k in kept]
        write_jsonl(folder / f"{split}.jsonl", rows[split])
        written = create_array(folder / f"{split}.npy", (len(kept), *images.shape[1:]))
        np.take(images, kept, 0, out=written, mode="clip")  # other modes copy all images in memory
        for kind in ("npy", "jsonl"):
            with (folder / f"{split}.{kind}").open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    set_aside = [
        {"file": p.file, "split": p.split, "reason": outcome.reason, "quality": round(outcome.quality, 3)}
        for p, outcome in pairs
        if outcome.reason
    ]
    write_jsonl(folder / SET_ASIDE, set_aside)
    kept_rows = [row for part in rows.values() for row in part]
    values = {n: sorted({r[n] for r in kept_rows if r.get(n)}) for n in (*names.values(), "pattern")}
    description = {
        "format": FORMAT,
        "kind": "prepared",
        "size": images.shape[1],
        "channels": CHANNELS,
        "attributes": {name: found for name, found in values.items() if found},
        "splits": {split: len(part) for split, part in rows.items()},
        "digest": digest.hexdigest()[:12],
        "prodgen": __version__,
        "source_count": len(outcomes),
        "set_aside_count": len(set_aside),
        **made_with,
    }
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n")
    _draw_sheets(folder, source, listing, outcomes, images)
    return description, set_aside


def _row(picture: Picture, outcome: Outcome, names: dict[str, str]) -> dict[str, Any]:
    cut_out = outcome.description
    return {
        "file": picture.file,
        "sha256": outcome.sha256,
        "pattern": cut_out.pattern,
        **{names[name]: value for name, value in picture.known.items()},
        "colour": cut_out.colour,
        "colours": cut_out.colours,
        "quality": round(outcome.quality, 3),
        "coverage": cut_out.coverage,
    }


def _draw_sheets(
    folder: Path, source: Path, listing: Listing, outcomes: Sequence[Outcome], images: NDArray[np.uint8]
) -> None:
    """Draw one sheet of kept cut-outs with labels, and one of the other cut-outs with their photographs."""
    pictures, labels = [], []
    for k in sample([k for k, outcome in enumerate(outcomes) if not outcome.reason]):
        cut_out = outcomes[k].description
        pictures.append(on_checkerboard(images[k], cut_out.colours))
        words = *listing.pictures[k].known.values(), cut_out.pattern, f"{outcomes[k].quality:.2f}"
        labels.append(" ".join(filter(None, words)))
    draw_sheet(folder / "preview.png", pictures, labels)
    pictures, labels = [], []
    for k in sample([k for k, outcome in enumerate(outcomes) if outcome.reason]):
        pictures += [load_photograph(source / listing.pictures[k].file), on_checkerboard(images[k])]
        labels += [outcomes[k].reason or "", f"quality {outcomes[k].quality:.2f}"]
    draw_sheet(folder / "set-aside.png", pictures, labels)
