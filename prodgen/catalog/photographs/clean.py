"""A copy of a folder of pictures without those that an inspection found fault with."""

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from prodgen.catalog.photographs.findings import draw_findings, write_findings
from prodgen.catalog.photographs.flags import check_flags
from prodgen.catalog.photographs.inspect import Finding, Inspection
from prodgen.catalog.photographs.lines import write_lines
from prodgen.catalog.photographs.whole import whole_folder
from prodgen.errors import ProdgenError

DROPPED, SHEET = "dropped.jsonl", "dropped.png"


def to_drop(inspection: Inspection, flags: Collection[str]) -> list[Finding]:
    """The pictures with one of the flags. Raises ProdgenError for a flag that there is not."""
    check_flags(flags)
    return [finding for finding in inspection.findings if any(flag in finding.flags for flag in flags)]


def clean(folder: Path, out: Path, inspection: Inspection, dropped: Sequence[Finding]) -> int:
    """Copy what is not dropped to ``out``, laid out as in ``folder`` -> how many pictures.

    ``attributes.jsonl`` has each with its split and attributes: beside the table, the sheet of what was
    dropped is not taken for one more picture. Raises ProdgenError if nothing would be left.
    """
    gone = {finding.file for finding in dropped}
    kept = [picture for picture in inspection.listing.pictures if picture.file not in gone]
    if not kept:
        raise ProdgenError(f"none of the {len(gone)} pictures would be left; nothing was written")
    with whole_folder(out, beside=folder) as room:
        for picture in kept:
            place = room / picture.file
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(folder / picture.file, place)
        rows = [{"file": p.file, "split": p.split, **p.known} for p in kept]
        write_lines(room / "attributes.jsonl", rows)
        write_findings(room / DROPPED, dropped)
        draw_findings(room / SHEET, folder, dropped)
    return len(kept)
