"""Compare two versions by the one figure that decides a promotion: the Fréchet distance (FID)."""

from typing import Any

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

Metrics = dict[str, Any]
"""The content of a version's metrics.json."""


class Figure(BaseModel):
    """The Fréchet distance of a version (lower is better), and the judge and the data that measured it.

    A figure without ``judge`` or ``data`` cannot be compared with any other figure.
    """

    model_config = ConfigDict(frozen=True)

    fid: float
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
    """Compare the metrics of a candidate and of the current version; None means a version without metrics."""
    ours, theirs = fid_figure(candidate), fid_figure(current)
    return Comparison(candidate=ours, current=theirs, incomparable=_incomparable(ours, theirs))


def fid_figure(metrics: Metrics | None) -> Figure | None:
    """Return the FID that an evaluation measured, or else the training run's FID, or else None."""
    for shape in (_Evaluated, _Trained):
        try:
            return shape.model_validate(metrics).figure()
        except ValidationError:
            continue
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


class _Split(BaseModel):
    digest: str


class _Fid(BaseModel):
    value: FiniteFloat
    features: str
    resizer: str
    split: str
    real_count: int
    generated_count: int


class _Figures(BaseModel):
    fid: _Fid


class _Evaluated(BaseModel):
    """The fields of an evaluation's metrics.json from which a `Figure` is made."""

    figures: _Figures
    data: dict[str, _Split] = {}

    def figure(self) -> Figure:
        """Return the figure. Its ``data`` includes the numbers of images, which affect the distance."""
        fid = self.figures.fid
        split = self.data.get(fid.split)
        counts = f"{fid.generated_count} generated against {fid.real_count} real"
        data = f"{fid.split} split {split.digest} ({counts})" if split else None
        return Figure(fid=fid.value, judge=f"{fid.features}, resizer {fid.resizer}", data=data)


class _Trained(BaseModel):
    """The fields of a training run's metrics.json from which a `Figure` is made."""

    domain_fid: FiniteFloat
    judge: str
    data: str

    def figure(self) -> Figure:
        return Figure(fid=self.domain_fid, judge=f"{self.judge} of the run", data=self.data)
