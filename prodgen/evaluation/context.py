"""The images and the features that all measures of one evaluation share."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.catalogue import Catalogue
from prodgen.evaluation.compatibility import TEST_SPLIT
from prodgen.evaluation.features import FeatureNetwork, Features
from prodgen.evaluation.figure import Figure
from prodgen.evaluation.judges import Judges
from prodgen.evaluation.splits import Splits
from prodgen.models import SavedModel

PIXELS = "none (pixels)"
"""The ``resizer`` of a figure that is measured on pixels, without a feature network."""


@dataclass(frozen=True)
class Context:
    """The inputs of every measure.

    ``generated``: enough images for every measure. ``count``: how many of these images are compared with the
    test split. ``cas_count``: how many train the classifier of the classification accuracy score. ``network``
    computes the features by which sets of images are compared.
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
