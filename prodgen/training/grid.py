"""A grid of images from the same latents at every step: how a run comes along, at a glance."""

from pathlib import Path

import torch
from PIL import Image

from prodgen.generation.latents import latents
from prodgen.models.base import ImageGenerator

ROWS, COLUMNS, GAP = 10, 10, 2


@torch.inference_mode()
def write_grid(generator: ImageGenerator, path: Path, seed: int) -> None:
    """A row a value of the first attribute (of at most ten), by a generator in evaluation mode."""
    device = next(generator.parameters()).device
    first = generator.schema.attributes[0].values if generator.schema.attributes else ("",)
    rows = min(len(first), ROWS)
    z = latents(seed, range(rows * COLUMNS), generator.latent_dim).to(device)
    condition = torch.zeros(rows * COLUMNS, generator.condition_dim, device=device)
    if generator.condition_dim:
        condition[torch.arange(rows * COLUMNS), torch.arange(rows).repeat_interleave(COLUMNS)] = 1.0
    images = generator(z, condition).float()
    cells = images.unflatten(0, (rows, COLUMNS)).permute(0, 3, 1, 4, 2)  # rows, H, columns, W, C
    cells = torch.nn.functional.pad(cells, (0, 0, 0, GAP, 0, 0, 0, GAP), value=1.0)
    whole = cells.reshape(cells.shape[0] * cells.shape[1], -1, cells.shape[4])
    pixels = ((whole + 1.0) * 127.5).round().clamp(0, 255).byte().cpu().numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(path)
