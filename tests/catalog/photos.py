"""Draw small photographs of a shirt on a textured background, and the true mask of the shirt."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

RED, BLUE, GREEN = (190, 30, 40), (30, 50, 170), (40, 140, 60)
WOOD, SHEET = (200, 160, 110), (235, 235, 235)


def shape(size: tuple[int, int] = (150, 200), scale: float = 1.0) -> NDArray[np.bool_]:
    """Return the mask (height, width) of a shirt in the middle."""
    width, height = size
    image = Image.new("1", size)
    corners = [
        (-0.2, -0.4), (0.2, -0.4), (0.45, -0.2), (0.35, 0.0), (0.25, -0.1),
        (0.25, 0.4), (-0.25, 0.4), (-0.25, -0.1), (-0.35, 0.0), (-0.45, -0.2),
    ]  # fmt: skip
    span = scale * min(width * 0.9, height * 0.8)
    ImageDraw.Draw(image).polygon([(width / 2 + x * span, height / 2 + y * span) for x, y in corners], 1)
    return np.asarray(image)


def photo(
    colour: tuple[int, int, int] = RED,
    ground: tuple[int, int, int] = WOOD,
    *,
    seed: int = 0,
    grain: float = 8.0,
    stripe: tuple[int, int, int] | None = None,
    size: tuple[int, int] = (150, 200),
    scale: float = 1.0,
) -> Image.Image:
    """Draw a shirt of ``colour``, with stripes if ``stripe`` is given, on a background with grain."""
    rng = np.random.default_rng(seed)
    mask = shape(size, scale)
    pixels = np.empty((*mask.shape, 3))
    pixels[:] = ground
    boards = np.repeat(rng.normal(0, grain, (mask.shape[0] // 10 + 1, 1, 1)), 10, 0)[: mask.shape[0]]
    pixels += boards + rng.normal(0, grain / 2, (*mask.shape, 1))
    cloth = np.empty_like(pixels)
    cloth[:] = colour
    if stripe:
        cloth[np.arange(mask.shape[0]) // 8 % 2 == 0] = stripe
    pixels[mask] = (cloth + rng.normal(0, 3, (*mask.shape, 1)))[mask]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def save(image: Image.Image, path: Path, **options: object) -> Path:
    """Save a picture, create the folders of its path, and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path
