"""The summary of a data set, which is stored so that the data set's files need not be opened."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(ge=0)]
Side = Annotated[int, Field(ge=1)]


class AttributeCounts(BaseModel):
    """For one attribute: the number of training images with each value, and without a known value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    values: dict[str, Count]
    unknown: Count


class Summary(BaseModel):
    """The content of a data set: the number of ``images`` by split, ``size`` as (width, height) in pixels.

    Pictures of the kind ``folder`` can be read at any size and number of channels; the summary has the
    defaults. ``colours`` names the attributes that are CIELAB colours, which have no values to count.
    ``flaw`` is the reason why photographs must be prepared before training.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["prepared", "idx", "cifar-10", "folder"]
    images: dict[Literal["train", "validation", "test"], Annotated[int, Field(ge=1)]]
    size: tuple[Side, Side]
    channels: Literal[1, 3, 4]
    attributes: dict[str, AttributeCounts]
    colours: tuple[str, ...] = ()
    flaw: str | None = Field(default=None, max_length=2000)

    @model_validator(mode="after")
    def _check_train_split(self) -> Self:
        if "train" not in self.images:
            raise ValueError("images has no split 'train', so there is nothing to train on")
        return self
