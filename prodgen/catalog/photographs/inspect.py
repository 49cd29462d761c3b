"""What is wrong with each picture of a folder. Nothing is changed, nothing dropped."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from prodgen.catalog.folder import list_pictures
from prodgen.catalog.listing import Listing
from prodgen.catalog.photographs.alike import alike
from prodgen.catalog.photographs.flags import FLAGS
from prodgen.catalog.photographs.looks import LOOKING, Report
from prodgen.catalog.photographs.measure import BLANK, Measures, measure
from prodgen.catalog.photographs.outliers import strangeness
from prodgen.catalog.photographs.pool import spread
from prodgen.catalog.picture_files import printable

SMALLEST = 48
"""Pixels of the shorter side."""
_BLURRED = 0.55
_STRANGE = 4.0


class Finding(NamedTuple):
    """Of one picture: ``flags`` has each of FLAGS that was found, with the reason in words."""

    file: str
    split: str
    flags: dict[str, str]


class Inspection(NamedTuple):
    """A folder's pictures, and what was found of each, in the same order."""

    listing: Listing
    findings: list[Finding]

    def counts(self) -> dict[str, int]:
        """How many pictures have each flag."""
        found = Counter(flag for finding in self.findings for flag in finding.flags)
        return {flag: found[flag] for flag in FLAGS}


def inspect(folder: Path, report: Report) -> Inspection:
    """Measure every picture of a folder and compare it with the others.

    Raises ProdgenError for a folder that holds no pictures, or whose layout is unclear.
    """
    listing = list_pictures(folder)
    measures: list[Measures] = []
    for found in spread(measure, [folder / picture.file for picture in listing.pictures]):
        measures.append(found)
        report(LOOKING, len(measures), len(listing.pictures))
    findings = [Finding(p.file, p.split, _alone(m)) for p, m in zip(listing.pictures, measures, strict=True)]
    _flag_alike(findings, measures)
    _flag_strange(findings, measures, listing)
    return Inspection(listing, findings)


def _alone(found: Measures) -> dict[str, str]:
    """What can be told from the picture alone."""
    if found.fault is not None:
        return {"unreadable": f"it cannot be read: {found.fault}"}
    flags = {}
    if found.contrast < BLANK:
        flags["blank"] = "it is of one colour"
    elif found.blur > _BLURRED:
        flags["blurred"] = f"it is blurred ({found.blur:.2f}; more than {_BLURRED} is)"
    if min(found.size) < SMALLEST:
        width, height = found.size
        flags["tiny"] = f"it has {width}x{height} pixels; a side should have {SMALLEST}"
    return flags


def _flag_alike(findings: Sequence[Finding], measures: Sequence[Measures]) -> None:
    """Of two alike the later is flagged; across splits the one in train, so that what is measured stays."""
    for first, second in alike(measures):
        one, other = findings[first], findings[second]
        if one.split == other.split:
            other.flags.setdefault(
                "duplicate", f"it is {_same(measures, first, second)} {printable(one.file)}"
            )
        else:
            goes, stays = (one, other) if one.split == "train" else (other, one)
            goes.flags.setdefault(
                "leak", f"it is {_same(measures, first, second)} {printable(stays.file)}, of another split"
            )


def _same(measures: Sequence[Measures], first: int, second: int) -> str:
    return "the same file as" if measures[first].sha256 == measures[second].sha256 else "nearly the same as"


def _flag_strange(findings: Sequence[Finding], measures: Sequence[Measures], listing: Listing) -> None:
    rows = [k for k, m in enumerate(measures) if m.fault is None and "blank" not in findings[k].flags]
    if not rows:
        return
    features = np.array([measures[k].features for k in rows])
    categories = [listing.pictures[k].known.get("category") for k in rows]
    for k, strange in zip(rows, strangeness(features, categories), strict=True):
        if strange > _STRANGE:
            findings[k].flags["outlier"] = f"it looks like no other of its category ({strange:.1f})"
