"""Train the upscaler to turn small pictures, like the pictures of a generator, into large cut-outs.

The training blurs cut-outs, shrinks them four times and adds noise. The network enlarges the small pictures.
The loss compares the results with the cut-outs by pixels and, if the recipe asks for it, by the features of
VGG16, which show blur better.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kornia.filters import gaussian_blur2d
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from prodgen.catalog.prepared_catalogue import is_prepared, load_prepared
from prodgen.errors import ProdgenError
from prodgen.evaluation.trunks import trunk_levels
from prodgen.files import replacing
from prodgen.generation.coverage import clamp_to_coverage
from prodgen.models.upscaler import FACTOR, Upscaler, load_upscaler
from prodgen.spec.model_config import WEIGHTS
from prodgen.spec.validation_errors import explain
from prodgen.training.ema import Ema
from prodgen.training.recipes.recipe_files import parse_settings

CROP = 24
"""Side, in pixels, of the small pictures of a batch."""
SIDE = CROP * FACTOR
BLUR, NOISE = 1.0, 0.04
"""Largest standard deviations of blur (in small pixels) and of noise (levels go from 0 to 1)."""
LEVELS = 2
"""Number of levels of VGG16 whose features are compared."""
_DECAY = 0.995
_SAVE_EVERY = 200


class UpscalerRecipe(BaseModel):
    """The settings of a training of the upscaler."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(default=3000, ge=1)
    batch: int = Field(default=8, ge=1)
    rate: float = Field(default=5e-4, gt=0, le=0.1)
    features_weight: float = Field(default=0.0, ge=0)
    """Weight of the features in the loss; pixels have weight 1. If 0, features are not compared."""
    features_from: int = Field(default=1000, ge=0)
    """First step that compares features. Such a step takes four times as long as a step without features."""


def read_upscaler_recipe(settings: list[str]) -> UpscalerRecipe:
    """Return the default recipe with ``key=value`` settings. Raises ProdgenError, which names a wrong key."""
    try:
        return UpscalerRecipe.model_validate(parse_settings(settings))
    except ValidationError as error:
        raise explain(error) from None


def train_upscaler(
    recipe: UpscalerRecipe,
    data: Path,
    out: Path,
    source: Path | None,
    weights: Path | None,
    show: Callable[[int, dict[str, float]], None],
    stop: Callable[[], bool],
) -> int:
    """Train on the training split of a prepared catalogue; return the step at which the training ended.

    Writes the averaged network to ``out`` every 200 steps and at the end. ``source``: the folder of an
    earlier training to begin with. ``weights``: the folder with the weights of VGG16, as for `trunk_levels`.
    Raises ProdgenError if the data is not a prepared catalogue, or if the cut-outs are too small.
    """
    if not is_prepared(data):
        raise ProdgenError(f"{data} has no cut-outs; make them with prodgen data prepare --size 256")
    images = load_prepared(data).images
    if not len(images) or images.shape[1] < SIDE:
        raise ProdgenError(f"the upscaler learns from cut-outs of {SIDE} pixels or more; use --size 256")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    random = torch.Generator().manual_seed(0)
    network = load_upscaler(source / WEIGHTS) if source else Upscaler()
    network = network.to(device, memory_format=torch.channels_last)
    average = Ema(network, _DECAY, warm_start=source is not None)
    optimizer = torch.optim.Adam(network.parameters(), recipe.rate, (0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, recipe.steps, pct_start=0.05)
    levels = trunk_levels("vgg", weights, device)[:LEVELS] if recipe.features_weight else []
    step = 0
    while step < recipe.steps and not stop():
        large = crops(images, recipe.batch, random)
        small, large = degrade(large, random).to(device), large.to(device)
        with torch.autocast(device, torch.bfloat16):
            made = network(small).float()
        loss = pixels = (made - large).abs().mean()
        losses = {"pixels": pixels}
        if levels and step >= recipe.features_from:
            ground = torch.rand(len(large), 3, 1, 1, generator=random).to(device)
            top, left = torch.randint(FACTOR, (2,), generator=random).tolist()  # or a grid is learnt
            shifted = (_over(x, ground)[..., top:, left:] for x in (made, large))
            losses["features"] = difference(levels, *shifted)
            loss = pixels + recipe.features_weight * losses["features"]
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 0.5)
        optimizer.step()
        schedule.step()
        average.update(network, step)
        step += 1
        show(step, {name: float(value.detach()) for name, value in losses.items()})
        if step % _SAVE_EVERY == 0:
            _save(average.model, out)
    _save(average.model, out)
    return step


def crops(images: NDArray[np.uint8], count: int, random: torch.Generator) -> Tensor:
    """Cut ``count`` parts out of premultiplied images (N, S, S, 4): (count, 4, `SIDE`, `SIDE`) in [0, 1].

    Each part is rotated by a random number of quarter turns, half of the parts are mirrored, and the three
    colour channels are shuffled. One part in four lies on an opaque ground, like the pictures of generators
    without transparency.
    """

    def draw(most: int) -> int:
        return int(torch.randint(most, (), generator=random))

    parts = []
    for _ in range(count):
        image = images[draw(len(images))]
        places = [(draw(image.shape[0] - SIDE + 1), draw(image.shape[0] - SIDE + 1)) for _ in range(3)]
        offers = [image[top : top + SIDE, left : left + SIDE] for top, left in places]
        fullest = max(offers, key=lambda part: int(part[::8, ::8, 3].sum()))
        part = torch.from_numpy(fullest / np.float32(255)).permute(2, 0, 1).rot90(draw(4), (1, 2))
        part = part.flip(2) if draw(2) else part
        part = part[[*torch.randperm(3, generator=random).tolist(), 3]]
        if draw(4) == 0:
            ground = torch.rand(1, 3, 1, 1, generator=random)
            part = torch.cat([_over(part[None], ground)[0], torch.ones_like(part[3:])])
        parts.append(part)
    return torch.stack(parts)


def degrade(large: Tensor, random: torch.Generator) -> Tensor:
    """Blur and shrink premultiplied pictures (B, 4, `SIDE`, `SIDE`) in [0, 1], and add noise to them.

    Returns (B, 4, `CROP`, `CROP`) in [0, 1], which resemble the pictures of a generator.
    """
    sigma = FACTOR * BLUR * torch.rand(len(large), 1, generator=random).clamp(min=0.02).expand(-1, 2)
    blurred = gaussian_blur2d(large, (13, 13), sigma)
    mode = ("area", "bilinear", "bicubic")[int(torch.randint(3, (), generator=random))]
    antialias: dict[str, Any] = {} if mode == "area" else {"antialias": True}
    small = F.interpolate(blurred, (CROP, CROP), mode=mode, **antialias)
    noise = torch.randn(small.shape, generator=random) + _lattice(len(large), random)
    strength = NOISE * torch.rand(len(large), 1, 1, 1, generator=random) ** 2
    return clamp_to_coverage(small + noise * strength)


def _lattice(count: int, random: torch.Generator) -> Tensor:
    """Return noise (count, 4, `CROP`, `CROP`) that repeats every two or four pixels.

    Some generators draw such noise in areas of one colour.
    """
    period = 2 << int(torch.randint(2, (), generator=random))
    tile = torch.randn(count, 4, period, period, generator=random)
    return tile.repeat(1, 1, CROP // period, CROP // period)


def difference(levels: list[nn.Sequential], made: Tensor, real: Tensor) -> Tensor:
    """Return the squared difference of the features of RGB pictures (B, 3, H, W), a scalar.

    The sum over ``levels`` of each level's mean, like LPIPS (Zhang et al. 2018), but without learned weights.
    """
    total = torch.zeros((), device=made.device)
    with torch.autocast(made.device.type, torch.bfloat16):
        for level in levels:
            made = level(made)
            with torch.no_grad():
                real = level(real)
            total = (
                total
                + (F.normalize(made.float(), dim=1) - F.normalize(real.float(), dim=1)).square().sum(1).mean()
            )
    return total


def _over(layers: Tensor, ground: Tensor) -> Tensor:
    """Lay premultiplied products (B, 4, H, W) over colours (B, 3, 1, 1)."""
    return layers[:, :3] + (1.0 - layers[:, 3:]) * ground


def _save(network: nn.Module, out: Path) -> None:
    weights = {name: t.half().cpu().contiguous() for name, t in network.state_dict().items()}
    with replacing(out / WEIGHTS) as partial:
        save_file(weights, partial)
