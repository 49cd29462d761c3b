"""A recipe: everything that decides how a model is trained, in one TOML file."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from prodgen.errors import NotFound, ProdgenError
from prodgen.names import check_name
from prodgen.training.augment import POLICIES

Rate = Annotated[float, Field(gt=0, lt=1)]


class Recipe(BaseModel):
    """The training of a conditional residual GAN under the hinge loss."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    data: Literal["idx"]
    classes: Literal["fashion-mnist", "mnist"]
    ground: str = "#000000"

    widths: list[Annotated[int, Field(ge=8, le=1024)]] = Field(default=[128, 96, 32], min_length=2)
    latent_dim: int = Field(default=128, ge=4, le=1024, multiple_of=4)

    steps: int = Field(ge=1, description="Generator steps; each sees one batch of real images.")
    batch: int = Field(default=64, ge=2)
    generator_lr: Rate = 2e-4
    discriminator_lr: Rate = 4e-4
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.0, 0.9)
    decay: float = Field(default=0.3, ge=0, le=1, description="Last share of steps, over which rates fall.")
    ema: Rate = 0.999
    clip: float = Field(default=10.0, gt=0, description="Greatest norm of the gradient of a network.")
    augment: str = ""

    evaluate_every: int = Field(default=500, ge=1)
    checkpoint_every: int = Field(default=250, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**63)

    @model_validator(mode="after")
    def _known(self) -> Self:
        check_name(self.name)
        unknown = [p for p in self.augment.split(",") if p and p not in POLICIES]
        if unknown:
            raise ValueError(f"augment knows no {unknown[0]!r}; it knows {', '.join(POLICIES)}")
        return self


def load_recipe(ref: str, settings: list[str]) -> Recipe:
    """The recipe of a bundled name or a TOML file, with ``key=value`` settings laid over it.

    Raises ProdgenError naming the key at fault.
    """
    table = _read(ref)
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals:
            raise ProdgenError(f"--set {text!r} is not key=value, for instance --set steps=20000")
        table[key.strip()] = _value(value.strip())
    try:
        return Recipe.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        known = (
            f"; a recipe has {', '.join(Recipe.model_fields)}" if first["type"] == "extra_forbidden" else ""
        )
        raise ProdgenError(f"recipe {ref}: {where or 'value'}: {first['msg']}{known}", param=where) from None


def _read(ref: str) -> dict[str, Any]:
    path = Path(ref)
    bundled = resources.files("prodgen") / "recipes"
    if path.suffix == ".toml":
        if not path.is_file():
            raise NotFound(f"there is no recipe file {ref}")
        text = path.read_bytes().decode(errors="replace")
    else:
        names = sorted(Path(f.name).stem for f in bundled.iterdir() if f.name.endswith(".toml"))
        if ref not in names:
            raise NotFound(f"there is no recipe {ref!r}; there are {', '.join(names)}, or name a .toml file")
        text = (bundled / f"{ref}.toml").read_text()
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProdgenError(f"recipe {ref} is not valid TOML: {error}") from None


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text
