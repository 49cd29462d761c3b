"""Draw a grid of images from the same latents at every step, to show the progress of a training."""

from pathlib import Path

import numpy as np
import torch

from prodgen.evaluation.pictures import on_white, to_bytes
from prodgen.generation.encode import to_image
from prodgen.generation.latents import latents
from prodgen.models.base import ImageGenerator
from prodgen.models.condition import encode

ROWS, COLUMNS, GAP = 10, 10, 2


@torch.inference_mode()
def write_grid(generator: ImageGenerator, path: Path, seed: int) -> None:
    """Write a PNG with a row of images for each value of the first choice attribute, at most ten. Atomic.

    The generator must be in evaluation mode.
    """
    device = next(generator.parameters()).device
    choices = generator.schema.choices
    rows = min(len(choices[0].values), ROWS) if choices else ROWS
    z = latents(seed, range(rows * COLUMNS), generator.latent_dim).to(device)
    fixed = [{choices[0].name: choices[0].values[k // COLUMNS]} if choices else {} for k in range(len(z))]
    attributes = generator.schema.resolve(fixed, [seed] * len(z), range(len(z)))  # draws the rest
    condition = encode(generator.schema, attributes).to(device)
    images = on_white(to_bytes(generator(z, condition)))
    cells = images.reshape(rows, COLUMNS, *images.shape[1:]).transpose(0, 2, 1, 3, 4)
    cells = np.pad(cells, ((0, 0), (0, GAP), (0, 0), (0, GAP), (0, 0)), constant_values=255)
    pixels = cells.reshape(cells.shape[0] * cells.shape[1], -1, cells.shape[4])
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    to_image(pixels).save(temporary, "PNG")
    temporary.replace(path)
