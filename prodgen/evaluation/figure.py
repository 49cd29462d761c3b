"""Figures, and what a measure returns."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from PIL import Image


@dataclass(frozen=True)
class Figure:
    """One number of an evaluation, with all that it depends on.

    ``real``: the same measure of real images in place of the generated ones, about what a perfect model
    would score. ``stand_in_count``: how many images ``real`` was measured with, if not ``generated_count``.
    ``better``: which values are better. ``features``: the network that saw the images. ``by_class``:
    (generated, real) of each value of ``attribute``; None for a value without images.
    """

    title: str
    value: float | None
    real: float | None
    better: str
    features: str
    split: str
    real_count: int
    generated_count: int
    resizer: str
    stand_in_count: int | None = None
    std: float | None = None
    attribute: str | None = None
    by_class: dict[str, tuple[float | None, float | None]] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields that are not None; a number that is not finite is null, as JSON has no other."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
            if value is not None or name in ("value", "real")
        }


@dataclass(frozen=True)
class Measurement:
    """The result of one measure. ``pictures``: by file name. ``left_out``: what is missing, and why."""

    figures: dict[str, Figure] = field(default_factory=dict)
    pictures: dict[str, Image.Image] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
