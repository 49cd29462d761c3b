"""The images and features that all measures of an evaluation use, and the figures that measures return."""

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

    ``real``: the number for real images in place of generated images; a perfect model would score about as
    much. ``stand_in_count``: the number of these real images, or None if it equals ``generated_count``.
    ``better``: which values are better. ``features``: the name of the feature network. ``by_class``: the
    (generated, real) pair for each value of ``attribute``; None for a value without images.
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
        """Return ``value``, ``real`` and all fields that are not None. Infinity and NaN become None."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
            if value is not None or name in ("value", "real")
        }


@dataclass(frozen=True)
class Measurement:
    """The result of one measure.

    ``pictures``: by file name. ``left_out``: figures that are missing, and why.
    """

    figures: dict[str, Figure] = field(default_factory=dict)
    pictures: dict[str, Image.Image] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


PIXELS = "none (pixels)"
"""The ``resizer`` of a figure that is measured on pixels, without a feature network."""


@dataclass(frozen=True)
class Context:
    """The inputs of every measure.

    ``count``: number of ``generated`` images that are compared with the test split. ``cas_count``: number of
    ``generated`` images that train the classifier of the classification accuracy score. ``network``: computes
    the features that are compared.
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
        """The first attribute with two or more values in the training images, or None.

        The values of this attribute are the classes of the evaluation.
        """
        return next(iter(self.splits.train.classifiable), None)

    @cached_property
    def stand_in_rows(self) -> NDArray[np.int64]:
        """Row numbers of ``count`` random training images, or of all if there are fewer.

        These images stand in for the images of a perfect model.
        """
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
        """Return a figure. ``own``: more fields of the figure.

        Fields that ``own`` lacks come from the network, the counts and the split of this context.
        """
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
