"""A grid of images from the same latents at every step: how a run comes along, at a glance."""

from pathlib import Path

import torch
from PIL import Image

from prodgen.attributes import AttributeSchema
from prodgen.generation.latents import latents
from prodgen.models.base import ImageGenerator
from prodgen.models.condition import encode

ROWS, COLUMNS, GAP = 10, 10, 2


@torch.inference_mode()
def write_grid(generator: ImageGenerator, path: Path, seed: int) -> None:
    """A row a value of the first choice (of at most ten), by a generator in evaluation mode."""
    device = next(generator.parameters()).device
    choices = generator.schema.choices
    rows = min(len(choices[0].values), ROWS) if choices else ROWS
    z = latents(seed, range(rows * COLUMNS), generator.latent_dim).to(device)
    condition = encode(generator.schema, _wanted(generator.schema, rows, seed)).to(device)
    images = generator(z, condition).float()
    if images.shape[1] == 4:  # premultiplied, laid on white
        images = images[:, :3] + (1.0 - images[:, 3:])
    cells = images.unflatten(0, (rows, COLUMNS)).permute(0, 3, 1, 4, 2)  # rows, H, columns, W, C
    cells = torch.nn.functional.pad(cells, (0, 0, 0, GAP, 0, 0, 0, GAP), value=1.0)
    whole = cells.reshape(cells.shape[0] * cells.shape[1], -1, cells.shape[4])
    pixels = ((whole + 1.0) * 127.5).round().clamp(0, 255).byte().cpu().numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(path)


def _wanted(schema: AttributeSchema, rows: int, seed: int) -> list[dict[str, str]]:
    """A value of the first choice for each row; the others are drawn as an order would have them."""
    [first, *_] = [*schema.choices, None]
    wanted = [{first.name: first.values[k // COLUMNS]} if first else {} for k in range(rows * COLUMNS)]
    return schema.resolve(wanted, [seed] * len(wanted), range(len(wanted)))
