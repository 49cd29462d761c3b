"""What the measures of one evaluation share: the images, and what the feature network sees in them."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from prodgen.catalog.catalogue import Catalogue
from prodgen.evaluation.comparable import SPLIT
from prodgen.evaluation.domain import Judges
from prodgen.evaluation.figure import Figure
from prodgen.evaluation.network import FeatureNetwork, Features
from prodgen.evaluation.splits import Splits
from prodgen.models import SavedModel

PIXELS = "none: the pixels themselves"


@dataclass(frozen=True)
class Findings:
    """What a measure found. ``pictures``: by file name. ``left_out``: what it could not measure, and why."""

    figures: dict[str, Figure] = field(default_factory=dict)
    pictures: dict[str, Image.Image] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


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
    def first(self) -> str | None:
        """The attribute that stands for the classes, if there is any."""
        return next(iter(self.splits.train.classifiable), None)

    @cached_property
    def stand_in_rows(self) -> NDArray[np.int64]:
        """``count`` real training images, or all if there are fewer: what a perfect generator would make."""
        return np.random.default_rng(self.seed).permutation(len(self.splits.train))[: self.count]

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
        """Of the stand-in."""
        return self.train_features[self.stand_in_rows.tolist()]

    def figure(self, title: str, value: float | None, real: float | None, better: str, **own: Any) -> Figure:
        """A figure of the scene's network, counts and split, but for what it says itself."""
        if own.get("stand_in_count") == own.get("generated_count", self.count):
            del own["stand_in_count"]
        common = {
            "features": self.network.name,
            "split": SPLIT,
            "real_count": len(self.splits.test),
            "generated_count": self.count,
            "resizer": self.network.resizer,
        }
        return Figure(title=title, value=value, real=real, better=better, **{**common, **own})
