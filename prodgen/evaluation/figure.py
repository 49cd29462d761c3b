"""One figure, and all that it depends on."""

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """``real``: the same measure of real images in the generated ones' place, so what perfection would score.

    ``features``: the network that saw the images. ``stand_in_count``: how many images ``real`` was measured
    with, where there were not as many of them as generated ones. ``by_class``: (generated, real) of each
    value of ``attribute``; None for a value without images.
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
        """Without what it does not have; a number that is not finite, which JSON has no word for, is null."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
            if value is not None or name in ("value", "real")
        }
