"""Recipes: everything that decides how a model is trained, one class for each kind of family."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from prodgen.errors import ProdgenError
from prodgen.spec.colour import Colour
from prodgen.spec.names import check_name

COLOUR = ("brightness", "contrast", "saturation")
AUGMENTATIONS = ("flip", "translation", "rotation", "scale", "cutout", *COLOUR)


def check_channels(policy: str, channels: int) -> None:
    """Raise ProdgenError if an augmentation of ``policy`` cannot change images with ``channels`` channels."""
    if "saturation" in parse_policy(policy) and channels == 1:
        raise ProdgenError("saturation has nothing to change: the images have one channel, grey")


def parse_policy(policy: str) -> list[str]:
    """Return the list of names in a policy such as ``"flip,cutout"``."""
    return [name.strip() for name in policy.split(",") if name.strip()]


Rate = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Steps = Annotated[int, Field(ge=1, le=10**9)]
HeadStart = Annotated[
    Share,
    Field(
        description="First share of the steps, in which only the discriminator learns, if it is new and the "
        "generator is pretrained.",
    ),
]
Betas = tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]]


class Recipe(BaseModel):
    """The keys that recipes of all families have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    family: str
    size: int | None = Field(
        default=None, ge=8, le=256, description="Side in pixels; by default the data's own, or 64."
    )
    channels: Literal[1, 3, 4] | None = Field(default=None, description="By default the data's own.")
    ground: Colour = Field(default="#000000", description="Colour around the products.")
    widths: list[Annotated[int, Field(ge=8, le=1024)]] = Field(default=[128, 96, 64], min_length=2)
    latent_dim: int = Field(default=128, ge=4, le=1024, multiple_of=4)

    steps: Steps = Field(description="Training steps; the generator learns once in each.")
    batch: int = Field(default=64, ge=2, le=65_536)
    accumulate: int = Field(default=1, ge=1, description="Parts into which a batch is split to save memory.")
    precision: Literal["fp32", "bf16"] = Field(default="fp32", description="Precision of training.")
    drop: Share = Field(default=0.0, description="Probability of leaving out each attribute.")
    recolour: Share = Field(
        default=0.0, description="Probability of showing a product in another product's colour."
    )
    transform: str = Field(default="", description="Augmentation of the training images.")
    ramp: int = Field(
        default=0, ge=0, le=10**9, description="First steps, over which the learning rates rise."
    )
    decay: Share = Field(
        default=0.3, description="Last share of the steps, over which the learning rates fall."
    )
    ema: Rate = Field(default=0.999, description="Decay of the moving average of the generator's weights.")
    clip: float = Field(default=10.0, gt=0, description="Largest norm of a network's gradient.")

    select: Literal["domain-fid", "kid-alexnet", "kid-vgg"] = Field(
        default="domain-fid",
        description="Figure that chooses the best step: the judge's FID, or the KID of a frozen network.",
    )
    evaluate_every: Steps = Field(default=1000, description="Steps between evaluations.")
    checkpoint_every: Steps = Field(default=500, description="Steps between checkpoints.")
    sample_every: Steps = Field(default=1000, description="Steps between grids of samples.")
    seed: int = Field(default=0, ge=0, lt=2**63)

    @model_validator(mode="after")
    def _check_fields(self) -> Self:
        check_name(self.name)
        for field in ("transform", "augment"):
            unknown = [p for p in parse_policy(getattr(self, field, "")) if p not in AUGMENTATIONS]
            if unknown:
                raise ValueError(f"{field} knows no {unknown[0]!r}; it knows {', '.join(AUGMENTATIONS)}")
        if self.batch % self.accumulate or self.batch // self.accumulate < 2:
            raise ValueError(f"batch {self.batch} is not {self.accumulate} equal parts of two images or more")
        return self


class GanRecipe(Recipe):
    """Recipe of a GAN: a generator against a discriminator."""

    family: Literal["dcgan", "resnet", "sagan", "r3gan"] = "resnet"
    upsampling: Literal["nearest", "bilinear"] = Field(
        default="nearest",
        description="How a generator of resnet or sagan doubles the side; nearest leaves a grid.",
    )
    loss: Literal["non-saturating", "hinge", "wasserstein", "least-squares", "relativistic"] = "hinge"
    generator_lr: Rate = 2e-4
    discriminator_lr: Rate = 4e-4
    betas: Betas = (0.0, 0.9)
    compile: bool = Field(default=False, description="Compile the networks: starts later, then runs faster.")
    discriminator_steps: int = Field(
        default=1, ge=1, le=20, description="Steps for each one of the generator."
    )
    r1: Weight = Field(default=0.0, description="Weight of the gradient penalty at real images.")
    r2: Weight = Field(default=0.0, description="Weight of the gradient penalty at generated images.")
    gradient_penalty: Weight = Field(default=0.0, description="Weight of WGAN-GP's gradient penalty.")
    consistency: Weight = Field(default=0.0, description="Weight of consistency under augmentation.")
    augment: str = Field(default="", description="Augmentation of the discriminator's input.")
    adaptive: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="Adapt augment_share to keep the mean sign of real logits at this value: 0.6, say.",
    )
    augment_share: Share = Field(default=1.0, description="Share of the images that are augmented.")
    burn_in: Share = Field(
        default=0.0,
        description="First share of the steps, over which augmentation rises from none and r1 and r2 fall "
        "from ten times their weight (Huang et al. 2024).",
    )
    san: bool = Field(
        default=False,
        description="Normalise the discriminator's last layer, whose direction then has a loss of its own "
        "(SAN, Takida et al. 2024).",
    )
    helpers: list[Literal["efficientnet-lite0"]] = Field(
        default=[],
        max_length=1,
        description="Frozen networks whose conditional heads help the discriminator (Kumari et al. 2022).",
    )
    helper_start: Share = Field(default=0.3, lt=1, description="Share of the steps before helpers begin.")
    helper_weight: Weight = Field(
        default=0.1, description="The helpers' weight in the generator's loss at the end, to which it rises."
    )
    head_start: HeadStart = 0.1
    freeze: int = Field(default=0, ge=0, description="First blocks of the discriminator that do not learn.")

    @property
    def has_penalty(self) -> bool:
        """Whether the discriminator's loss has a gradient penalty."""
        return bool(self.r1 or self.r2 or self.gradient_penalty)

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        augmented, bounded = bool(parse_policy(self.augment)), self.family in ("resnet", "sagan")
        if self.upsampling != "nearest" and not bounded:
            raise ValueError(f"upsampling is for the families resnet and sagan, not for {self.family}")
        if self.adaptive and not augmented:
            raise ValueError("adaptive needs something to adapt; set augment")
        if self.burn_in and not (self.r1 or self.r2 or augmented):
            raise ValueError("burn_in needs something to change; set augment, r1 or r2")
        if self.consistency and not augmented:
            raise ValueError("consistency needs something to compare; set augment")
        if self.adaptive and self.loss == "wasserstein":
            raise ValueError(
                "adaptive reads signs of logits, which have no meaning under the loss wasserstein"
            )
        if self.has_penalty and self.family == "dcgan":
            raise ValueError(
                "dcgan's discriminator normalises by the batch; take another family, or no penalty"
            )
        if self.loss == "wasserstein" and not bounded and not self.gradient_penalty:
            raise ValueError(
                f"the loss wasserstein needs a bounded discriminator, and {self.family} has none; "
                "set gradient_penalty, or take the family resnet"
            )
        if self.has_penalty and self.compile:
            raise ValueError(
                "penalties differentiate twice, which a compiled network cannot; leave compile out"
            )
        return self

    @model_serializer(mode="wrap")
    def _omit_absent_helpers(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the keys of helpers if there are none, so that services of earlier versions read it."""
        fields: dict[str, Any] = plain(self)
        return {key: value for key, value in fields.items() if self.helpers or not key.startswith("helper")}


class VaeRecipe(Recipe):
    """Recipe of a two-stage VAE: one autoencoder of images, and one of the codes of the images."""

    family: Literal["vae"] = "vae"
    latent_dim: int = Field(
        default=64, ge=8, le=1024, multiple_of=4, description="Twice the length of a code."
    )
    autoencoder_lr: Rate = 1e-3
    prior_lr: Rate = 1e-3
    beta: Weight = Field(default=1.0, description="Weight of the KL divergence.")
    free_bits: Weight = Field(
        default=0.0, description="Nats of KL divergence without cost, per number of a code."
    )
    warm_up: Share = Field(default=0.1, description="First share of the steps, over which beta rises.")


class VaeGanRecipe(VaeRecipe):
    """Recipe of a VAE-GAN: an autoencoder whose decoder also learns from a discriminator."""

    family: Literal["vaegan"] = "vaegan"  # type: ignore[assignment]
    loss: Literal["non-saturating", "hinge"] = "hinge"
    autoencoder_lr: Rate = 2e-4
    discriminator_lr: Rate = 4e-4
    betas: Betas = (0.0, 0.9)
    beta: Weight = Field(default=0.005, description="Weight of the KL divergence in nats per image.")
    warm_up: Share = 0.0
    pixels: Weight = Field(default=50.0, description="Weight of the mean squared error of the pixels.")
    head_start: HeadStart = 0.1
    features: Weight = Field(default=1.0, description="Weight of the error in the discriminator's features.")


RECIPES: dict[str, type[Recipe]] = {
    **dict.fromkeys(("dcgan", "resnet", "sagan", "r3gan"), GanRecipe),
    "vae": VaeRecipe,
    "vaegan": VaeGanRecipe,
}
"""The recipe class of each family."""
