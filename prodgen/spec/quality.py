"""The quality gate: which attempt at an image an order takes, by the distance of its colour from the request.

The threshold belongs to the version of the model, so that no image depends on another.
"""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from prodgen.spec.attributes import AttributeSchema, ContinuousColour
from prodgen.spec.validation_errors import parse_json

QUALITY = "quality.json"
"""The file of a model folder that holds the version's `Quality`."""
ATTEMPTS = 4
"""The most attempts at one image."""
NOTHING = 100.0
"""The colour distance of an image that shows no product."""
MARGIN = 0.5
"""The most by which two machines may differ in one colour distance. One level of 255 changes it by less."""


class Quality(BaseModel):
    """quality.json: the threshold of a version.

    ``colour_distance``: the greatest CIEDE2000 difference between the mean colour of the product and the
    requested colour with which an image passes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    colour_distance: float = Field(gt=0, allow_inf_nan=False)


def parse_quality(data: bytes, where: str) -> Quality:
    """Parse a quality.json; if it is broken, raises ProdgenError, whose message names the file ``where``."""
    return parse_json(Quality, data, f"{where} is no model's quality.json")


class Gated(BaseModel):
    """How an image passed the quality gate.

    ``colour_distances``: of all attempts that were made, in order, rounded to hundredths. Without one within
    ``threshold``, the image is the attempt with the least distance.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: float
    colour_distances: tuple[float, ...] = Field(min_length=1)

    @property
    def place(self) -> int:
        """Which of the attempts, from 0, the gate has taken."""
        chosen = chosen_attempt(self.colour_distances, self.threshold)
        return len(self.colour_distances) - 1 if chosen is None else chosen

    def is_plausible(self, quality: Quality, measured: Sequence[float]) -> bool:
        """Return whether another machine can have decided so; ``measured``: the distances on this one."""
        *before, _ = self.colour_distances
        ends = chosen_attempt(before, self.threshold) is None
        ends = ends and chosen_attempt(self.colour_distances, self.threshold) is not None
        apart = (abs(a - b) for a, b in zip(self.colour_distances, measured, strict=True))
        return self.threshold == quality.colour_distance and ends and all(d <= MARGIN for d in apart)


def gated_attribute(schema: AttributeSchema, channels: int) -> str | None:
    """Return the colour attribute that the gate compares with, or None if it cannot measure such a model.

    The gate needs transparency (4 ``channels``) to know the product from the ground.
    """
    colours = (one.name for one in schema.attributes if isinstance(one, ContinuousColour))
    return next(colours, None) if channels == 4 else None


def chosen_attempt(distances: Sequence[float], threshold: float) -> int | None:
    """Return which attempt, from 0, the gate takes of those made so far; None if another one is due."""
    for place, distance in enumerate(distances):
        if distance <= threshold:
            return place
    return distances.index(min(distances)) if len(distances) == ATTEMPTS else None
