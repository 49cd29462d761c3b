"""What is known of a data set without opening it."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(ge=0)]
Side = Annotated[int, Field(ge=1)]


class AttributeCounts(BaseModel):
    """How many training images are known to have each value, and of how many none is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    values: dict[str, Count]
    unknown: Count


class Summary(BaseModel):
    """``images`` by split, one of them ``train``; ``size`` is (width, height) in pixels.

    A ``folder`` of pictures can be read at any size and with any channels: it says those that it is read with
    if nothing else is asked for. ``colours`` names the attributes that are colours in CIELAB and so have no
    values to count. ``flaw``: why photographs cannot be trained on before they are prepared.
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
    def _can_be_trained_on(self) -> Self:
        if "train" not in self.images:
            raise ValueError("images has no split 'train', so there is nothing to train on")
        return self
