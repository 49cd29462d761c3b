"""The light on a patterned product: it follows the folds, and not the pattern."""

import numpy as np
import pytest

from prodgen.photographs.shading import encoded, light_on, without_pattern

SIDE = 240


def striped(colours: tuple[tuple[float, ...], ...], folds: np.ndarray) -> np.ndarray:
    """A product of horizontal stripes (H, W, 3) whose light is ``folds`` (H, W)."""
    pattern = np.array(colours, np.float32)[np.arange(SIDE) // 16 % len(colours)]
    return encoded((pattern[:, None] * folds[..., None]).astype(np.float32))


@pytest.mark.parametrize(
    "colours", [((0.6, 0.6, 0.6), (0.05, 0.05, 0.06)), ((0.5, 0.1, 0.1), (0.1, 0.2, 0.5), (0.7, 0.7, 0.6))]
)
def test_the_light_has_the_folds_and_not_the_pattern(colours: tuple[tuple[float, ...], ...]) -> None:
    x, y = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    folds = (1 + 0.35 * np.sin(x / 18)) * (1.2 - 0.4 * y / SIDE)
    rgb, cover = striped(colours, folds), np.ones((SIDE, SIDE), np.float32)
    found, inside = light_on(rgb, cover), slice(10, -10)
    same = np.corrcoef(found[inside, inside].ravel(), folds[inside, inside].ravel())[0, 1]
    assert same > 0.97
    grey = without_pattern(rgb, cover)[inside, inside].astype(float)
    rows, before = grey.mean((1, 2)), rgb[inside, inside].mean((1, 2))
    trend = np.polyval(np.polyfit(np.arange(len(rows)), rows, 2), np.arange(len(rows)))
    assert np.abs(rows - trend).max() < 0.12 * np.ptp(before)


def test_a_product_of_few_pixels_has_even_light() -> None:
    assert (light_on(np.zeros((3, 3, 3), np.uint8), np.ones((3, 3), np.float32)) == 1).all()
