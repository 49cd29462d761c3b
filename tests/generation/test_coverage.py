"""A product lies without a seam on the background that an order asks for."""

import numpy as np
import pytest
import torch

from prodgen.catalog.idx import load_idx
from prodgen.generation.coverage import clear_ground, cut_out, opaque
from prodgen.generation.finish import apply_finish
from prodgen.spec.finish import Finish
from tests.toys import FASHION_MNIST

BLACK = torch.zeros(1, 1, 1, 1)


def disc(colour: torch.Tensor, ground: torch.Tensor, side: int = 48, radius: float = 15.0) -> torch.Tensor:
    """A product with a soft edge one pixel wide, so that its true coverage is known."""
    return coverage(side, radius) * colour + (1 - coverage(side, radius)) * ground


def coverage(side: int = 48, radius: float = 15.0) -> torch.Tensor:
    axis = torch.arange(side) - (side - 1) / 2
    distance = (axis[:, None] ** 2 + axis[None] ** 2).sqrt()
    return (radius + 0.5 - distance).clamp(0, 1)[None, None]


def colour(*channels: float) -> torch.Tensor:
    return torch.tensor(channels).view(1, -1, 1, 1)


@pytest.mark.parametrize(
    ("product", "ground"),
    [(colour(0.5), colour(0.0)), (colour(0.8, 0.2, 0.1), colour(1.0, 1.0, 1.0)), (colour(0.9), colour(0.3))],
    ids=["grey on black", "red on white", "light on grey"],
)
def test_an_edge_is_as_transparent_as_it_is_soft(product, ground):
    layers = cut_out(disc(product, ground), ground)
    assert (layers[:, -1:] - coverage()).abs().max() < 0.13
    for behind in (colour(1.0, 1.0, 1.0), colour(0.2, 0.6, 0.3)):
        made = layers[:, :-1] + (1 - layers[:, -1:]) * behind
        wanted = coverage() * product + (1 - coverage()) * behind
        assert (made - wanted).abs().max() < 0.1


def test_no_dark_line_surrounds_a_product_on_white():
    layers = cut_out(disc(colour(0.7), BLACK), BLACK)
    made = layers[:, :-1] + (1 - layers[:, -1:])
    assert made.min() > 0.69  # nothing is darker than the product itself


def test_dark_seams_and_folds_stay_in_the_product():
    product = torch.full((1, 1, 24, 24), 0.0)
    product[..., 4:20, 4:20] = 0.8
    product[..., 11:13, 4:20] = 0.0  # a seam of two black pixels across it
    product[..., 8, 8] = 0.0
    alpha = cut_out(product, BLACK)[:, -1]
    assert alpha[..., 5:19, 5:19].min() == 1.0
    assert alpha[..., :3, :].max() == 0.0


def test_a_product_that_touches_the_border_is_whole_there():
    product = torch.full((1, 1, 16, 16), 0.0)
    product[..., 8:, :] = 0.6
    alpha = cut_out(product, BLACK)[:, -1]
    assert alpha[..., 10:, :].min() == 1.0
    assert alpha[..., :7, :].max() == 0.0


def test_a_gap_at_the_border_stays_a_gap():
    product = torch.full((1, 1, 16, 16), 0.0)
    product[..., :, :14] = 0.6
    assert cut_out(product, BLACK)[..., 15].max() == 0.0


def test_noise_in_the_ground_disappears():
    noise = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.039
    for ground, x in ((BLACK, noise), (colour(1.0), 1 - noise)):
        assert cut_out(x, ground).abs().max() == 0.0


def test_a_faint_speck_is_not_a_product():
    x = torch.zeros(1, 1, 16, 16)
    x[..., 8, 8] = 0.06
    assert cut_out(x, BLACK)[:, -1].max() < 0.1


def test_a_small_difference_in_the_picture_stays_small():
    x = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    step = 1e-4 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    change = (cut_out(x, BLACK) - cut_out((x + step).clamp(0, 1), BLACK)).abs().max()
    assert change < 40 * step.abs().max()


def test_colour_never_exceeds_its_coverage():
    x = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for layers in (cut_out(x, colour(0.2, 0.4, 0.9)), opaque(x), opaque(torch.cat([x, x[:, :1]], 1))):
        product, alpha = layers[:, :-1], layers[:, -1:]
        assert (product <= alpha).all()
        assert layers.min() >= 0
        assert layers.max() <= 1


def test_a_picture_with_its_own_transparency_keeps_it():
    x = torch.rand(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    x[:, :3] *= x[:, 3:]
    for layers in (cut_out(x, colour(0.0, 0.0, 0.0)), opaque(x)):
        assert torch.equal(layers, x)


@pytest.mark.skipif(not FASHION_MNIST.is_dir(), reason=f"the data set is not at {FASHION_MNIST}")
def test_real_clothes_stand_on_pure_white():
    catalogue = load_idx(FASHION_MNIST, split="test")
    pictures = torch.from_numpy(catalogue.images[:200]).permute(0, 3, 1, 2).float() / 127.5 - 1
    made = apply_finish(pictures, Finish(background="white"), "#000000", [0] * 200, range(200)).numpy()
    grounds = catalogue.images[:200] == 0
    outside = grounds & ~_near(~grounds, 2)
    assert outside.mean() > 0.2
    assert (made[outside] == 255).all()
    # A line of dark pixels around the product would show as pixels darker than the product beside them.
    inside = ~_near(grounds, 2)
    assert (made[inside] == catalogue.images[:200][inside]).mean() > 0.99
    rim = _near(grounds, 1) & (catalogue.images[:200] > 10) & (catalogue.images[:200] < 60)
    bright = rim & _near(catalogue.images[:200] > 180, 1)
    assert made[bright].mean() > 200


def _near(mask: np.ndarray, reach: int) -> np.ndarray:
    """Where ``mask`` (N, H, W, 1) holds within ``reach`` pixels."""
    tensor = torch.from_numpy(mask[..., 0].astype(np.float32))[:, None]
    return torch.nn.functional.max_pool2d(tensor, 2 * reach + 1, 1, reach)[:, 0, ..., None].numpy() > 0


def test_a_haze_on_the_ground_disappears_and_the_product_stays():
    alpha = coverage()
    alpha[..., 10:38, 43] = 0.8  # a strap one pixel wide
    haze = alpha.clone()
    haze[..., :4, :] = 0.1
    haze[..., 44:, :] = 0.2
    cleared = clear_ground(torch.cat([haze * 0.5, haze], 1))
    assert cleared[..., :4, :].max() == cleared[..., 44:, :].max() == 0.0
    solid = alpha > 0.06
    assert torch.equal(cleared[:, 1:][solid], alpha[solid])
    assert torch.equal(cleared[:, :1][solid], alpha[solid] * 0.5)


def test_clearing_the_ground_keeps_a_small_difference_small():
    layers = opaque(torch.rand(8, 4, 28, 28, generator=torch.Generator().manual_seed(0)))
    step = 1e-4 * torch.randn(layers.shape, generator=torch.Generator().manual_seed(1))
    change = (clear_ground(layers) - clear_ground((layers + step).clamp(0, 1))).abs().max()
    assert change < 40 * step.abs().max()
