"""Inspect a folder of photographs for faults, without changing or dropping any of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from prodgen.catalog.folder import list_pictures
from prodgen.catalog.jsonl import write_jsonl
from prodgen.catalog.listing import Listing
from prodgen.catalog.photographs.flags import FLAGS
from prodgen.catalog.photographs.measure import Measurements, measure
from prodgen.catalog.photographs.near_duplicates import near_duplicates
from prodgen.catalog.photographs.outliers import outlier_scores
from prodgen.catalog.photographs.process_pool import Report, map_in_processes
from prodgen.catalog.photographs.sheets import draw_sheet, load_photograph, sample
from prodgen.catalog.picture_files import printable

REPORT, FLAGGED = "report.jsonl", "flagged.png"
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
    """A folder's pictures and a finding for each, in the same order."""

    listing: Listing
    findings: list[Finding]

    def counts(self) -> dict[str, int]:
        """Return the number of pictures with each flag."""
        found = Counter(flag for finding in self.findings for flag in finding.flags)
        return {flag: found[flag] for flag in FLAGS}


def inspect(folder: Path, report: Report) -> Inspection:
    """Measure every picture of a folder and compare it with the others.

    Raises ProdgenError for a folder without pictures or with an unclear layout.
    """
    listing = list_pictures(folder)
    paths = [folder / picture.file for picture in listing.pictures]
    findings, measurements = [], {}
    for k, measured in enumerate(map_in_processes(measure, paths, _STAGE, report)):
        picture = listing.pictures[k]
        findings.append(Finding(picture.file, picture.split, _own_flags(measured)))
        if not {"unreadable", "blank"} & findings[k].flags.keys():
            measurements[k] = measured
    _flag_near_duplicates(findings, measurements)
    _flag_outliers(findings, measurements, [p.known.get("category") for p in listing.pictures])
    return Inspection(listing, findings)


def write_inspection(out: Path, folder: Path, inspection: Inspection) -> None:
    """Write ``report.jsonl`` with every picture and ``flagged.png`` with the flagged pictures to ``out``."""
    write_findings(out / REPORT, inspection.findings)
    draw_findings(out / FLAGGED, folder, [finding for finding in inspection.findings if finding.flags])


def write_findings(path: Path, findings: Sequence[Finding]) -> None:
    """Write a line for each finding: its file, split and flags with their reasons."""
    write_jsonl(path, [finding._asdict() for finding in findings])


def draw_findings(path: Path, folder: Path, findings: Sequence[Finding]) -> None:
    """Draw a sheet of the pictures, each over its flags; no file is written for an empty list."""
    chosen = sample(findings)
    images = [load_photograph(folder / finding.file) for finding in chosen]
    draw_sheet(path, images, [", ".join(finding.flags) for finding in chosen])


def _own_flags(measured: Measurements | str) -> dict[str, str]:
    """Return the flags that depend on the picture alone."""
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


def _flag_near_duplicates(findings: Sequence[Finding], measurements: Mapping[int, Measurements]) -> None:
    """Flag the later of two pictures of a split, and of two splits the one in train, to keep test images."""
    for first, second in near_duplicates(measurements):
        same_file = measurements[first].sha256 == measurements[second].sha256
        relation = "the same file as" if same_file else "nearly the same as"
        one, other = findings[first], findings[second]
        if one.split == other.split:
            other.flags.setdefault("duplicate", f"it is {relation} {printable(one.file)}")
        else:
            flagged, kept = (one, other) if one.split == "train" else (other, one)
            flagged.flags.setdefault("leak", f"it is {relation} {printable(kept.file)}, of another split")


def _flag_outliers(
    findings: Sequence[Finding], measurements: Mapping[int, Measurements], categories: Sequence[str | None]
) -> None:
    features = np.array([measured.features for measured in measurements.values()])
    scores = outlier_scores(features, [categories[k] for k in measurements])
    for k, score in zip(measurements, scores, strict=True):
        if score > _MAX_OUTLIER_SCORE:
            findings[k].flags["outlier"] = f"it looks like no other of its category ({score:.1f})"
