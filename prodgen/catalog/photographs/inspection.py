"""Inspect a folder of photographs for faults, and copy the folder without the faulty photographs."""

import shutil
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from prodgen.catalog.formats import list_pictures
from prodgen.catalog.listing import Listing
from prodgen.catalog.photographs.atomic_folder import atomic_folder
from prodgen.catalog.photographs.flags import FLAGS, check_flags
from prodgen.catalog.photographs.measure import Measurements, measure, near_duplicates, outlier_scores
from prodgen.catalog.photographs.process_pool import Report, map_in_processes
from prodgen.catalog.photographs.sheets import draw_sheet, load_photograph, sample
from prodgen.catalog.picture_files import printable
from prodgen.catalog.prepared_catalogue import write_jsonl
from prodgen.errors import ProdgenError

DROPPED, DROPPED_SHEET = "dropped.jsonl", "dropped.png"
_STAGE = "Inspecting the pictures"
_MIN_SIDE = 48  # shorter side, in pixels, below which a picture is tiny
_MIN_CONTRAST = 2.0  # contrast, in levels of 255, below which a picture is blank
_MAX_BLUR = 0.55
_MAX_OUTLIER_SCORE = 4.0


class Finding(NamedTuple):
    """A picture's path within the folder, its split, and its flags with the reason for each."""

    file: str
    split: str
    flags: dict[str, str]


class Inspection(NamedTuple):
    """A folder's pictures and a finding for each picture, in the same order."""

    listing: Listing
    findings: list[Finding]

    def counts(self) -> dict[str, int]:
        """Return the number of pictures with each flag."""
        found = Counter(flag for finding in self.findings for flag in finding.flags)
        return {flag: found[flag] for flag in FLAGS}


def inspect(folder: Path, report: Report) -> Inspection:
    """Measure every picture of a folder, compare the pictures with each other, and return their flags.

    Raises ProdgenError for a folder without pictures or with an unclear layout.
    """
    listing = list_pictures(folder)
    paths = [folder / picture.file for picture in listing.pictures]
    findings, compared, measurements, categories = [], [], [], []
    measured_pictures = map_in_processes(measure, _STAGE, report, paths)
    for picture, measured in zip(listing.pictures, measured_pictures, strict=True):
        finding = Finding(picture.file, picture.split, _own_flags(measured))
        findings.append(finding)
        if not {"unreadable", "blank"} & finding.flags.keys():
            compared.append(finding)
            measurements.append(measured)
            categories.append(picture.known.get("category"))
    _flag_near_duplicates(compared, measurements)
    features = np.array([measured.features for measured in measurements])
    for finding, score in zip(compared, outlier_scores(features, categories), strict=True):
        if score > _MAX_OUTLIER_SCORE:
            finding.flags["outlier"] = f"it looks like no other of its category ({score:.1f})"
    return Inspection(listing, findings)


def write_inspection(out: Path, folder: Path, inspection: Inspection) -> None:
    """Write ``report.jsonl`` (all pictures) and ``flagged.png`` (flagged pictures) to the folder ``out``."""
    _write_findings(out / "report.jsonl", out / "flagged.png", folder, inspection.findings)


def _write_findings(rows: Path, sheet: Path, folder: Path, findings: Sequence[Finding]) -> None:
    """Write a line for each finding to the file ``rows``, and draw flagged pictures to the file ``sheet``."""
    write_jsonl(rows, [finding._asdict() for finding in findings])
    chosen = sample([finding for finding in findings if finding.flags])
    images = [load_photograph(folder / finding.file) for finding in chosen]
    draw_sheet(sheet, images, [", ".join(finding.flags) for finding in chosen])


def to_drop(inspection: Inspection, flags: Collection[str]) -> list[Finding]:
    """Return the findings that have at least one of ``flags``; raises ProdgenError for an unknown flag."""
    check_flags(flags)
    return [finding for finding in inspection.findings if any(flag in finding.flags for flag in flags)]


def clean(folder: Path, out: Path, inspection: Inspection, dropped: Sequence[Finding]) -> int:
    """Copy all pictures except the dropped ones from ``folder`` to ``out``; return the number of copies.

    ``out`` has the layout of ``folder``. It also has a table ``attributes.jsonl`` of the copied pictures, so
    that the contact sheet of dropped pictures is not read as a picture. Raises ProdgenError if no picture
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
        _write_findings(unfinished / DROPPED, unfinished / DROPPED_SHEET, folder, dropped)
    return len(kept)


def _own_flags(measured: Measurements | str) -> dict[str, str]:
    """Return a picture's flags with reasons. ``measured``: its measurements, or why it cannot be read."""
    if isinstance(measured, str):
        return {"unreadable": f"it cannot be read: {measured}"}
    flags = {}
    if measured.contrast < _MIN_CONTRAST:
        flags["blank"] = "it is of one colour"
    elif measured.blur > _MAX_BLUR:
        flags["blurred"] = f"it is blurred ({measured.blur:.2f}; more than {_MAX_BLUR} is)"
    if min(measured.size) < _MIN_SIDE:
        width, height = measured.size
        flags["tiny"] = f"it has {width}x{height} pixels; a side should have {_MIN_SIDE}"
    return flags


def _flag_near_duplicates(findings: Sequence[Finding], measurements: Sequence[Measurements]) -> None:
    """Flag one picture of each pair of near-duplicates.

    In a pair of one split, the later picture gets the flag ``duplicate``. In a pair of two splits, the flag
    ``leak`` goes to the first picture if it is in train, else to the second picture.
    """
    for first, second in near_duplicates(measurements):
        same_file = measurements[first].sha256 == measurements[second].sha256
        relation = "the same file as" if same_file else "nearly the same as"
        one, other = findings[first], findings[second]
        if one.split == other.split:
            other.flags.setdefault("duplicate", f"it is {relation} {printable(one.file)}")
        else:
            flagged, kept = (one, other) if one.split == "train" else (other, one)
            flagged.flags.setdefault("leak", f"it is {relation} {printable(kept.file)}, of another split")
