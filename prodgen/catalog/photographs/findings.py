"""What an inspection found, as a file for programs and a sheet for people."""

from collections.abc import Sequence
from pathlib import Path

from prodgen.catalog.photographs.inspect import Finding, Inspection
from prodgen.catalog.photographs.lines import write_lines
from prodgen.catalog.photographs.sheets import chosen, photograph, sheet

REPORT, FLAGGED = "report.jsonl", "flagged.png"


def write_inspection(out: Path, folder: Path, inspection: Inspection) -> None:
    """``report.jsonl`` with every picture, and ``flagged.png`` with those that have a flag, in ``out``."""
    write_findings(out / REPORT, inspection.findings)
    draw_findings(out / FLAGGED, folder, [finding for finding in inspection.findings if finding.flags])


def write_findings(path: Path, findings: Sequence[Finding]) -> None:
    """A line for each: its file, split and flags with their reasons."""
    write_lines(path, [finding._asdict() for finding in findings])


def draw_findings(path: Path, folder: Path, findings: Sequence[Finding]) -> None:
    """The flagged pictures, each over its flags; no sheet if there is none."""
    rows = chosen(range(len(findings)))
    images = [photograph(folder / findings[k].file) for k in rows]
    labels = [", ".join(findings[k].flags) for k in rows]
    if images:
        sheet(path, images, labels, 12)
