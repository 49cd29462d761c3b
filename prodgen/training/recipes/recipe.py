"""A recipe: everything that decides how a model is trained."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from prodgen.spec.colour import Colour
from prodgen.spec.names import check_name
from prodgen.training.recipes.policies import POLICIES, names

Rate = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
HeadStart = Annotated[
    Share,
    Field(
        description="First share of the steps, in which a new discriminator learns alone beside a generator "
        "that has learnt already.",
    ),
]
Betas = tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]]


class Recipe(BaseModel):
    """What all families have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    family: str
    size: int | None = Field(default=None, ge=8, le=256, description="Side in pixels; the data's own, or 64.")
    channels: Literal[1, 3, 4] | None = Field(default=None, description="The data's own if left out.")
    ground: Colour = Field(default="#000000", description="The colour around the products.")
    widths: list[Annotated[int, Field(ge=8, le=1024)]] = Field(default=[128, 96, 64], min_length=2)
    latent_dim: int = Field(default=128, ge=4, le=1024, multiple_of=4)

    steps: int = Field(ge=1, description="Steps of the generator.")
    batch: int = Field(default=64, ge=2)
    accumulate: int = Field(default=1, ge=1, description="Parts of a batch, one after the other in memory.")
    precision: Literal["fp32", "bf16"] = Field(default="fp32", description="Of the training's passes.")
    drop: Share = Field(default=0.0, description="How often each attribute is left out.")
    recolour: Share = Field(
        default=0.0,
        description="How often a product is given another's colour, where colour is an attribute.",
    )
    transform: str = Field(default="", description="Augmentation of the training images themselves.")
    ramp: int = Field(default=0, ge=0, description="First steps, over which the rates rise.")
    decay: Share = Field(default=0.3, description="Last share of the steps, over which the rates fall.")
    ema: Rate = 0.999
    clip: float = Field(default=10.0, gt=0, description="Greatest norm of the gradient of a network.")

    evaluate_every: int = Field(default=1000, ge=1)
    checkpoint_every: int = Field(default=500, ge=1)
    sample_every: int = Field(default=1000, ge=1, description="A grid of images from fixed latents.")
    seed: int = Field(default=0, ge=0, lt=2**63)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        check_name(self.name)
        for field in ("transform", "augment"):
            unknown = [p for p in names(getattr(self, field, "")) if p not in POLICIES]
            if unknown:
                raise ValueError(f"{field} knows no {unknown[0]!r}; it knows {', '.join(POLICIES)}")
        if self.batch % self.accumulate or self.batch // self.accumulate < 2:
            raise ValueError(f"batch {self.batch} is not {self.accumulate} equal parts of two images or more")
        return self


class GanRecipe(Recipe):
    """A generator against a discriminator."""

    family: Literal["dcgan", "resnet", "sagan", "r3gan"] = "resnet"
    loss: Literal["non-saturating", "hinge", "wasserstein", "least-squares", "relativistic"] = "hinge"
    generator_lr: Rate = 2e-4
    discriminator_lr: Rate = 4e-4
    betas: Betas = (0.0, 0.9)
    compile: bool = Field(default=False, description="Worth its minute of start-up on long runs.")
    discriminator_steps: int = Field(default=1, ge=1, le=20, description="For one of the generator.")
    r1: Weight = Field(default=0.0, description="Penalty of the gradient at real images.")
    r2: Weight = Field(default=0.0, description="Penalty of the gradient at generated images.")
    gradient_penalty: Weight = Field(
        default=0.0, description="Penalty of a gradient other than one (WGAN-GP)."
    )
    consistency: Weight = Field(default=0.0, description="Penalty of judging an augmented image otherwise.")
    augment: str = Field(default="", description="Augmentation of what the discriminator sees.")
    adaptive: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="Augment as much as holds the mean sign of real logits there: 0.6, say.",
    )
    augment_share: Share = Field(default=1.0, description="Share of the images that is augmented.")
    burn_in: Share = Field(
        default=0.0,
        description="First share of the steps, over which augmentation sets in and r1 and r2 fall from "
        "ten times their weight (Huang et al. 2024).",
    )
    head_start: HeadStart = 0.1
    freeze: int = Field(default=0, ge=0, description="First blocks of the discriminator that do not learn.")

    @property
    def penalised(self) -> bool:
        """Whether the discriminator's loss has derivatives in it."""
        return bool(self.r1 or self.r2 or self.gradient_penalty)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        augmented, bounded = bool(names(self.augment)), self.family in ("resnet", "sagan")
        for found, problem in (
            (self.adaptive and not augmented, "adaptive needs something to adapt; set augment"),
            (
                self.burn_in and not (self.r1 or self.r2 or augmented),
                "burn_in has nothing to bring in; set augment, r1 or r2",
            ),
            (self.consistency and not augmented, "consistency needs something to compare; set augment"),
            (
                self.adaptive and self.loss == "wasserstein",
                "adaptive reads the sign of the logits, which has no meaning under the loss wasserstein",
            ),
            (
                self.penalised and self.family == "dcgan",
                "penalties are of single images, but dcgan's discriminator normalises by the batch; take "
                "another family",
            ),
            (
                self.loss == "wasserstein" and not bounded and not self.gradient_penalty,
                f"the loss wasserstein needs a bounded discriminator, which that of {self.family} is not; "
                "set gradient_penalty, or take the family resnet",
            ),
            (
                self.penalised and self.compile,
                "a compiled network cannot be differentiated twice, as penalties are; leave compile out",
            ),
        ):
            if found:
                raise ValueError(problem)
        return self


class VaeRecipe(Recipe):
    """An autoencoder and a second one on its codes."""

    family: Literal["vae"] = "vae"
    latent_dim: int = Field(default=64, ge=8, le=1024, multiple_of=4, description="Twice a code's length.")
    autoencoder_lr: Rate = 1e-3
    prior_lr: Rate = 1e-3
    beta: Weight = Field(default=1.0, description="Weight of the KL.")
    free_bits: Weight = Field(default=0.0, description="Nats that a number of a code costs for nothing.")
    warm_up: Share = Field(default=0.1, description="First share of the steps, over which beta rises.")


class VaeGanRecipe(VaeRecipe):
    """An autoencoder whose decoder also plays against a discriminator."""

    family: Literal["vaegan"] = "vaegan"  # type: ignore[assignment]
    loss: Literal["non-saturating", "hinge"] = "hinge"
    autoencoder_lr: Rate = 2e-4
    discriminator_lr: Rate = 4e-4
    betas: Betas = (0.0, 0.9)
    beta: Weight = Field(default=0.005, description="Weight of the KL, in nats an image.")
    warm_up: Share = 0.0
    pixels: Weight = Field(default=50.0, description="Weight of the mean squared error of pixels.")
    head_start: HeadStart = 0.1
    features: Weight = Field(default=1.0, description="Weight of the error in the discriminator's features.")


RECIPES: dict[str, type[Recipe]] = {
    **dict.fromkeys(("dcgan", "resnet", "sagan", "r3gan"), GanRecipe),
    "vae": VaeRecipe,
    "vaegan": VaeGanRecipe,
}
"""The kind of recipe of each family."""
