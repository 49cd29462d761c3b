"""The one figure that decides whether a version may take another's place."""

from typing import Any

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

Metrics = dict[str, Any]
"""A version's metrics.json."""


class Figure(BaseModel):
    """A version's Fréchet distance (lower is better), by which judge and on which data it was taken.

    A figure whose ``judge`` or ``data`` is not known compares with no other.
    """

    model_config = ConfigDict(frozen=True)

    fid: float
    judge: str | None = None
    data: str | None = None


class Comparison(BaseModel):
    """Two versions' figures; ``incomparable`` says why they cannot be held against each other, if so."""

    model_config = ConfigDict(frozen=True)

    candidate: Figure | None
    current: Figure | None
    incomparable: str | None = None

    @property
    def worse(self) -> bool:
        """Whether both can be compared and the candidate loses."""
        if self.incomparable or self.candidate is None or self.current is None:
            return False
        return self.candidate.fid > self.current.fid


def compare(candidate: Metrics | None, current: Metrics | None) -> Comparison:
    """The metrics.json of a candidate against that of the version in place (None: it has none)."""
    ours, theirs = headline(candidate), headline(current)
    return Comparison(candidate=ours, current=theirs, incomparable=_why_not(ours, theirs))


def headline(metrics: Metrics | None) -> Figure | None:
    """The figure that decides: the FID of an evaluation, or else that of its training run, if it has one."""
    for shape in (_Evaluated, _Trained):
        try:
            return shape.model_validate(metrics).figure()
        except ValidationError:
            continue
    return None


def _why_not(candidate: Figure | None, current: Figure | None) -> str | None:
    if candidate is None or current is None:
        lacking = [who for who, figure in (("the one", candidate), ("the other", current)) if figure is None]
        return f"there is no Fréchet distance of {' and '.join(lacking)}"
    for who, figure in (("the one", candidate), ("the other", current)):
        if figure.judge is None or figure.data is None:
            return f"the metrics of {who} do not say which judge took them, and on which data"
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
    """What `prodgen evaluate` writes."""

    figures: _Figures
    data: dict[str, _Split] = {}

    def figure(self) -> Figure:
        """All that a FID depends on is in its judge and its data: other counts give other distances."""
        fid = self.figures.fid
        split = self.data.get(fid.split)
        counts = f"{fid.generated_count} generated against {fid.real_count} real"
        data = f"{fid.split} split {split.digest} ({counts})" if split else None
        return Figure(fid=fid.value, judge=f"{fid.features}, resizer {fid.resizer}", data=data)


class _Trained(BaseModel):
    """What `prodgen train` writes."""

    domain_fid: FiniteFloat
    judge: str
    data: str

    def figure(self) -> Figure:
        return Figure(fid=self.domain_fid, judge=f"{self.judge} of the run", data=self.data)
