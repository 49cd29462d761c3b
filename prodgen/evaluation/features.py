"""The feature networks that an evaluation may be asked for, by name."""

from collections.abc import Callable
from pathlib import Path

from prodgen.errors import ProdgenError
from prodgen.evaluation.domain import Judges
from prodgen.evaluation.inception import inception
from prodgen.evaluation.network import FeatureNetwork

NetworkFrom = Callable[[Judges, str | None], FeatureNetwork]
"""The judges and the first attribute -> the network."""


def _domain(weights: Path | None, channels: int, device: str) -> NetworkFrom:
    return lambda judges, first: judges(first)


def _inception(weights: Path | None, channels: int, device: str) -> NetworkFrom:
    network = inception(weights, channels, device)
    return lambda judges, first: network


FEATURES: dict[str, Callable[[Path | None, int, str], NetworkFrom]] = {
    "domain": _domain,
    "inception": _inception,
}
"""A file of weights, the images' channels and the device -> where the network comes from.

What cannot be had is refused here; what has to be trained is trained later.
"""


def feature_source(name: str, weights: Path | None, channels: int, device: str) -> NetworkFrom:
    """The source of that name; raises ProdgenError with those there are."""
    if name not in FEATURES:
        raise ProdgenError(
            f"there are no features {name!r}; known are {', '.join(FEATURES)}", param="features"
        )
    if weights is not None and name != "inception":
        raise ProdgenError("--inception-weights is for --features inception", param="inception_weights")
    return FEATURES[name](weights, channels, device)
