"""Directions in which latent vectors change a measured property of the images of a model."""

import math

from pydantic import BaseModel, ConfigDict, Field

from prodgen.errors import ProdgenError

MOST_STEPS = 3.0
"""The most steps forwards or backwards. Latent vectors farther away did not occur in training."""
PROPERTIES = ("width", "height", "area", "flare", "lightness", "symmetry")
"""The names that directions have; see `prodgen.evaluation.directions.measure`."""


class Direction(BaseModel):
    """A unit vector in the space of latent vectors, and how a step of 1 along it changes images.

    The figures are measured on images that were not used to find the vector.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    effect: float = Field(description="Mean change of the property by a step, in the property's own unit.")
    right: float = Field(description="Share of images with more of the property a step on than a step back.")
    r2: float = Field(
        description="Share of the property's variance, beyond the attributes, that it explains."
    )
    vector: tuple[float, ...] = Field(repr=False)

    def parse(self, text: object) -> str:
        """Return the number of steps in ``text``, such as ``1.5`` or ``-2``, with three digits.

        Raises ProdgenError if ``text`` is no number, or more than `MOST_STEPS` from 0.
        """
        try:
            steps = float(str(text))
        except ValueError:
            steps = math.nan
        if not abs(steps) <= MOST_STEPS:
            raise ProdgenError(
                f"{self.name} is a number of steps from {-MOST_STEPS:g} to {MOST_STEPS:g}, not {str(text)!r}",
                param=f"attributes.{self.name}",
            )
        return f"{steps + 0.0:.3g}"
