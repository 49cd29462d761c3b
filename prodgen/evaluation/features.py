"""The feature networks that an evaluation may be asked for, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from prodgen.errors import ProdgenError
from prodgen.evaluation.domain import Judges
from prodgen.evaluation.inception import inception
from prodgen.evaluation.network import FeatureNetwork


@dataclass(frozen=True)
class FeatureSource:
    """``size``: features an image. ``build``: judges, first attribute, weights, device -> the network."""

    size: int
    build: Callable[[Judges, str, Path | None, str], FeatureNetwork]


FEATURES = {
    "domain": FeatureSource(128, lambda judges, attribute, weights, device: judges(attribute)),
    "inception": FeatureSource(2048, lambda judges, attribute, weights, device: inception(weights, device)),
}


def feature_source(name: str) -> FeatureSource:
    """The source of that name; raises ProdgenError with those there are."""
    if name not in FEATURES:
        raise ProdgenError(
            f"there are no features {name!r}; known are {', '.join(FEATURES)}", param="features"
        )
    return FEATURES[name]
