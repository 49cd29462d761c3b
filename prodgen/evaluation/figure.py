"""The figures of an evaluation, and the result of one measure."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from PIL import Image


@dataclass(frozen=True)
class Figure:
    """One number of an evaluation, with the network, images and counts that it depends on.

    ``real``: the same measure of real images in place of the generated ones; a perfect model would score
    about as much. ``stand_in_count``: the number of those real images, if it is not ``generated_count``.
    ``better``: which values are better. ``features``: the name of the feature network. ``by_class``: the
    (generated, real) pair of each value of ``attribute``; None for a value without images.
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
        """Return the fields that are not None, and ``value`` and ``real``. Infinity and NaN become None."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
            if value is not None or name in ("value", "real")
        }


@dataclass(frozen=True)
class Measurement:
    """The result of one measure. ``pictures``: by file name. ``left_out``: missing figures and reasons."""

    figures: dict[str, Figure] = field(default_factory=dict)
    pictures: dict[str, Image.Image] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
