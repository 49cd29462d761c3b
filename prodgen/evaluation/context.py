"""The images and features that all measures of an evaluation share, and the figures that they return."""

import math
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from prodgen.catalog.catalogue import Catalogue
from prodgen.evaluation.compatibility import TEST_SPLIT
from prodgen.evaluation.features import FeatureNetwork, Features
from prodgen.evaluation.judges import Judges
from prodgen.evaluation.splits import Splits
from prodgen.models import SavedModel


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


PIXELS = "none (pixels)"
"""The ``resizer`` of a figure that is measured on pixels, without a feature network."""


@dataclass(frozen=True)
class Context:
    """The inputs of every measure.

    ``count``: how many of the ``generated`` images are compared with the test split. ``cas_count``: how many
    train the classifier of the classification accuracy score. ``network``: computes the compared features.
    """

    model: SavedModel
    splits: Splits
    generated: Catalogue
    count: int
    cas_count: int
    judges: Judges
    network: FeatureNetwork
    seed: int
    device: str

    @property
    def main_attribute(self) -> str | None:
        """The first attribute of which two values occur, or None. Its values are the classes."""
        return next(iter(self.splits.train.classifiable), None)

    @cached_property
    def stand_in_rows(self) -> NDArray[np.int64]:
        """Rows of ``count`` random training images, or all. They stand in for a perfect model's images."""
        return np.random.default_rng(self.seed).permutation(len(self.splits.train))[: self.count]

    @cached_property
    def generated_features(self) -> Features:
        """Features of the first ``count`` generated images."""
        return self.network(self.generated.images[: self.count])

    @cached_property
    def test_features(self) -> Features:
        """Features of the test split."""
        return self.network(self.splits.test.images)

    @cached_property
    def train_features(self) -> Features:
        """Features of the training split."""
        return self.network(self.splits.train.images)

    @cached_property
    def stand_in(self) -> Features:
        """Features of the training images at `stand_in_rows`."""
        return self.train_features[self.stand_in_rows.tolist()]

    def figure(self, title: str, value: float | None, real: float | None, better: str, **own: Any) -> Figure:
        """Return a figure. Fields that are not in ``own`` come from the network, counts and split here."""
        if own.get("stand_in_count") == own.get("generated_count", self.count):
            del own["stand_in_count"]
        common = {
            "features": self.network.name,
            "split": TEST_SPLIT,
            "real_count": len(self.splits.test),
            "generated_count": self.count,
            "resizer": self.network.resizer,
        }
        return Figure(title=title, value=value, real=real, better=better, **{**common, **own})
