"""Compare two versions by the one figure that decides a promotion: the Fréchet distance (FID)."""

from contextlib import suppress
from typing import Any

from pydantic import BaseModel, ConfigDict, FiniteFloat

Metrics = dict[str, Any]
"""The content of a version's metrics.json."""


class Figure(BaseModel):
    """The Fréchet distance of a version (lower is better), and the judge and the data that measured it.

    A figure without ``judge`` or ``data`` cannot be compared with any other figure.
    """

    model_config = ConfigDict(frozen=True)

    fid: FiniteFloat
    judge: str | None = None
    data: str | None = None


class Comparison(BaseModel):
    """The figures of two versions. If the figures cannot be compared, ``incomparable`` says why."""

    model_config = ConfigDict(frozen=True)

    candidate: Figure | None
    current: Figure | None
    incomparable: str | None = None

    @property
    def worse(self) -> bool:
        """Return whether the candidate's figure is worse; False if the figures cannot be compared."""
        if self.incomparable or self.candidate is None or self.current is None:
            return False
        return self.candidate.fid > self.current.fid


def compare(candidate: Metrics | None, current: Metrics | None) -> Comparison:
    """Compare the FID of a candidate and of the current version. None means a version without metrics."""
    ours, theirs = fid_figure(candidate), fid_figure(current)
    return Comparison(candidate=ours, current=theirs, incomparable=_incomparable(ours, theirs))


def fid_figure(metrics: Metrics | None) -> Figure | None:
    """Return the FID that an evaluation measured, or else the training run's FID, or else None."""
    for read in (_evaluated, _trained):
        with suppress(KeyError, TypeError, AttributeError, ValueError):  # the fields are missing or broken
            return read(metrics or {})
    return None


def _incomparable(candidate: Figure | None, current: Figure | None) -> str | None:
    named = {"the candidate": candidate, "the current version": current}
    if candidate is None or current is None:
        lacking = [name for name, figure in named.items() if figure is None]
        return f"there is no Fréchet distance of {' and '.join(lacking)}"
    for name, figure in named.items():
        if figure is None or figure.judge is None or figure.data is None:
            return f"the metrics of {name} do not say which judge took them, and on which data"
    if candidate.judge != current.judge:
        return f"they were judged by two networks, {candidate.judge} and {current.judge}"
    if candidate.data != current.data:
        return f"they were measured on different data, {candidate.data} and {current.data}"
    return None


def _evaluated(metrics: Metrics) -> Figure:
    """Return the figure of an evaluation. ``data`` includes the numbers of images, which affect the FID."""
    fid = metrics["figures"]["fid"]
    counts = f"{fid['generated_count']} generated against {fid['real_count']} real"
    split = metrics.get("data", {}).get(fid["split"])
    data = f"{fid['split']} split {split['digest']} ({counts})" if split else None
    return Figure(fid=fid["value"], judge=f"{fid['features']}, resizer {fid['resizer']}", data=data)


def _trained(metrics: Metrics) -> Figure:
    return Figure(fid=metrics["domain_fid"], judge=f"{metrics['judge']} of the run", data=metrics["data"])
