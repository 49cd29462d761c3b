"""Copy a folder of photographs without those that an inspection flagged."""

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from prodgen.catalog.jsonl import write_jsonl
from prodgen.catalog.photographs.atomic_folder import atomic_folder
from prodgen.catalog.photographs.flags import check_flags
from prodgen.catalog.photographs.inspection import Finding, Inspection, draw_findings, write_findings
from prodgen.errors import ProdgenError

DROPPED, SHEET = "dropped.jsonl", "dropped.png"


def to_drop(inspection: Inspection, flags: Collection[str]) -> list[Finding]:
    """Return the findings with one of the flags; raises ProdgenError for an unknown flag."""
    check_flags(flags)
    return [finding for finding in inspection.findings if any(flag in finding.flags for flag in flags)]


def clean(folder: Path, out: Path, inspection: Inspection, dropped: Sequence[Finding]) -> int:
    """Copy the pictures that are not dropped to ``out`` and return their number.

    ``out`` has the layout of ``folder``, and an ``attributes.jsonl`` with the split and attributes of each
    picture, so that the sheet of dropped pictures is not read as a picture. Raises ProdgenError if no picture
    would be left.
    """
    gone = {finding.file for finding in dropped}
    kept = [picture for picture in inspection.listing.pictures if picture.file not in gone]
    if not kept:
        raise ProdgenError(f"none of the {len(gone)} pictures would be left; nothing was written")
    with atomic_folder(out, folder) as unfinished:
        for picture in kept:
            target = unfinished / picture.file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(folder / picture.file, target)
        rows = [{"file": p.file, "split": p.split, **p.known} for p in kept]
        write_jsonl(unfinished / "attributes.jsonl", rows)
        write_findings(unfinished / DROPPED, dropped)
        draw_findings(unfinished / SHEET, folder, dropped)
    return len(kept)
