"""The quality gate: choose among attempts at an image by their colour distance from the requested colour.

Each version of a model has a fixed threshold, so that the choice for one image depends on no other image.
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
"""The colour distance that an image without a visible product gets."""
MARGIN = 0.5
"""Colour distances on two machines may differ by at most this. One level of 255 changes them by less."""


class Quality(BaseModel):
    """quality.json: the threshold of a version.

    An image passes if the CIEDE2000 difference between the mean colour of its product and the requested
    colour is at most ``colour_distance``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    colour_distance: float = Field(gt=0, allow_inf_nan=False)


def parse_quality(data: bytes, where: str) -> Quality:
    """Parse a quality.json; if it is broken, raises ProdgenError, whose message names the file ``where``."""
    return parse_json(Quality, data, f"{where} is no model's quality.json")


class Gated(BaseModel):
    """How an image passed the quality gate.

    ``colour_distances`` holds the distance of each attempt that was made, in order, rounded to hundredths. If
    no distance is within ``threshold``, the image is the attempt with the least distance.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: float
    colour_distances: tuple[float, ...] = Field(min_length=1)

    @property
    def place(self) -> int:
        """The number of the attempt that the gate has chosen, from 0."""
        chosen = chosen_attempt(self.colour_distances, self.threshold)
        return len(self.colour_distances) - 1 if chosen is None else chosen

    def is_plausible(self, quality: Quality, measured: Sequence[float]) -> bool:
        """Return whether this result of another machine can be right, for an audit.

        ``measured``: the distances of the same attempts on this machine.
        """
        *before, _ = self.colour_distances
        ends = chosen_attempt(before, self.threshold) is None
        ends = ends and chosen_attempt(self.colour_distances, self.threshold) is not None
        apart = (abs(a - b) for a, b in zip(self.colour_distances, measured, strict=True))
        return self.threshold == quality.colour_distance and ends and all(d <= MARGIN for d in apart)


def gated_attribute(schema: AttributeSchema, channels: int) -> str | None:
    """Return the name of the attribute with the requested colour, or None if the gate cannot be used.

    The gate needs images with transparency (4 ``channels``), to tell the product from the ground.
    """
    colours = (one.name for one in schema.attributes if isinstance(one, ContinuousColour))
    return next(colours, None) if channels == 4 else None


def chosen_attempt(distances: Sequence[float], threshold: float) -> int | None:
    """Return the number, from 0, of the attempt that the gate takes; None if another attempt must be made.

    ``distances`` holds the distances of the attempts made so far.
    """
    for place, distance in enumerate(distances):
        if distance <= threshold:
            return place
    return distances.index(min(distances)) if len(distances) == ATTEMPTS else None
