"""What the measures of one evaluation share: the images, and what the feature network sees in them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from prodgen.catalog.catalogue import Catalogue
from prodgen.evaluation.domain import Judges
from prodgen.evaluation.figure import Figure
from prodgen.evaluation.network import FeatureNetwork, Features
from prodgen.evaluation.splits import Splits
from prodgen.models import SavedModel

SPLIT = "test"


@dataclass(frozen=True)
class Scene:
    """``generated``: enough for every measure. ``count``: those that are compared with the test split;
    ``taught``: those that a classifier is trained on."""

    model: SavedModel
    splits: Splits
    generated: Catalogue
    count: int
    taught: int
    judges: Judges
    network: FeatureNetwork
    seed: int
    device: str

    @property
    def first(self) -> str:
        """The attribute that stands for the classes."""
        return next(iter(self.splits.train.values))

    @cached_property
    def generated_features(self) -> Features:
        """Of the ``count`` generated images."""
        return self.network(self.generated.images[: self.count])

    @cached_property
    def test_features(self) -> Features:
        """Of the whole test split."""
        return self.network(self.splits.test.images)

    @cached_property
    def train_features(self) -> Features:
        """Of the whole training split."""
        return self.network(self.splits.train.images)

    @cached_property
    def stand_in(self) -> Features:
        """Of ``count`` real training images, or all: what a perfect generator would make."""
        rows = np.random.default_rng(self.seed).permutation(len(self.splits.train))[: self.count]
        return self.train_features[rows.tolist()]

    def figure(self, title: str, value: float | None, real: float | None, better: str, **own: Any) -> Figure:
        """A figure of the scene's network, counts and split, but for what it says itself."""
        common = {
            "features": self.network.name,
            "split": SPLIT,
            "real_count": len(self.splits.test),
            "generated_count": self.count,
            "resizer": self.network.resizer,
        }
        return Figure(title=title, value=value, real=real, better=better, **{**common, **own})
