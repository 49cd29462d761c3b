"""Images have the size, the background and the variations that an order asks for."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from prodgen.catalog.idx import load_idx
from prodgen.generation.encode import encode, to_image
from prodgen.generation.finish import apply_finish
from prodgen.spec.finish import Augment, Finish
from prodgen.spec.random_streams import Stream, uniforms
from tests.generation.asking import worst
from tests.toys import FASHION_MNIST

SIDE = 41
CENTRE = (SIDE - 1) / 2


def finished(
    x: torch.Tensor, finish: Finish, ground: str = "#000000", seed: int = 7, first: int = 0
) -> NDArray[np.int64]:
    """x: (N, C, H, W) in [0, 1] -> finished levels (N, H, W, C)."""
    draws = range(first, first + len(x))
    made = apply_finish(x * 2 - 1, finish, ground, [seed] * len(x), draws)
    assert made.dtype == torch.uint8
    return made.numpy().astype(np.int64)


def drawn(count: int, seed: int = 7) -> NDArray[np.float64]:
    """The random numbers (count, 16) that vary the first images of a seed."""
    return uniforms([seed] * count, range(count), 16, Stream.AUGMENTATION, [0] * count)


def dots(count: int, *places: tuple[int, int]) -> torch.Tensor:
    """``count`` black pictures with a bright dot of 3 x 3 pixels at each (row, column)."""
    x = torch.zeros(count, 1, SIDE, SIDE)
    for row, column in places:
        x[..., row - 1 : row + 2, column - 1 : column + 2] = 1.0
    return x


def centres(made: NDArray[np.int64]) -> NDArray[np.float64]:
    """The centroid (x, y) of each picture's brightness, in [-1, 1]."""
    weights = made[..., 0].astype(float)
    axis = np.arange(SIDE) / CENTRE - 1
    total = weights.sum((1, 2))
    return np.stack([(weights * axis).sum((1, 2)) / total, (weights * axis[:, None]).sum((1, 2)) / total], 1)


def patch(value: float = 0.5, channels: int = 1, count: int = 8) -> torch.Tensor:
    """A shaded product, away from the border."""
    x = torch.zeros(count, channels, SIDE, SIDE)
    ramp = torch.linspace(0.6, 1.4, 21)
    x[..., 10:31, 10:31] = value * ramp
    return x


def test_without_a_finish_the_pixels_are_the_networks_own():
    levels = torch.arange(256).view(1, 1, 16, 16)
    assert np.array_equal(finished(levels / 255, Finish())[0, ..., 0], levels[0, 0].numpy())


@pytest.mark.skipif(not FASHION_MNIST.is_dir(), reason=f"the data set is not at {FASHION_MNIST}")
def test_without_a_finish_the_format_is_the_data_sets_own():
    pictures = load_idx(FASHION_MNIST, split="test").images[:50]
    made = finished(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255, Finish())
    assert made.shape == (50, 28, 28, 1)
    assert np.array_equal(made, pictures)
    assert to_image(made[0].astype(np.uint8)).mode == "L"


@pytest.mark.parametrize("size", [8, 41, 64, 200])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_has_the_size_asked_for(size, channels):
    made = finished(patch(channels=channels, count=2), Finish(size=size))
    assert made.shape == (2, size, size, channels)


def test_a_larger_image_shows_the_same_thing():
    x = patch(0.5, count=1)
    large = finished(x, Finish(size=4 * SIDE))[0, ..., 0]
    small = large.reshape(SIDE, 4, SIDE, 4).mean((1, 3))
    assert np.abs(small[12:29, 12:29] - finished(x, Finish())[0, 12:29, 12:29, 0]).max() <= 3


def test_a_larger_image_has_no_halo():
    x = torch.zeros(1, 1, SIDE, SIDE)
    x[..., 10:31, 10:31] = 0.3
    made = finished(x, Finish(size=4 * SIDE, background="white"))
    assert made.min() >= 0.3 * 255 - 2  # an overshooting edge would be darker than the product
    assert np.abs(made[:, 50:110, 50:110] - 0.3 * 255).max() <= 2


@pytest.mark.parametrize("size", [None, 20, 128])
@pytest.mark.parametrize(
    ("name", "colour"), [("white", (255,) * 3), ("#c0392b", (192, 57, 43)), ("#000", (0,) * 3)]
)
@pytest.mark.parametrize(("channels", "ground"), [(1, "#000000"), (3, "#ffffff"), (3, "#336699")])
def test_the_background_is_exactly_the_colour_asked_for(size, name, colour, channels, ground):
    around = torch.tensor([int(ground[k : k + 2], 16) / 255 for k in (1, 3, 5)])[:channels].view(1, -1, 1, 1)
    noise = torch.rand(2, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 0.03
    x = torch.where(patch(0.5, count=2) > 0, patch(0.5, count=2), around + noise * (1 - 2 * around)).clamp(
        0, 1
    )
    made = finished(x, Finish(size=size, background=name), ground)
    grey = channels == 1 and len(set(colour)) == 1
    assert made.shape[3] == (1 if grey else 3)
    edge = max(2, made.shape[1] // 10)
    for corner in (made[:, :edge, :edge], made[:, -edge:, -edge:], made[:, :edge, -edge:]):
        assert (corner == np.array(colour[: made.shape[3]])).all()
    middle = made[:, made.shape[1] // 2, made.shape[2] // 2]
    assert np.abs(middle - 127).max() < 12


def test_a_grey_product_stays_grey_on_a_coloured_ground():
    made = finished(patch(0.5), Finish(background="#c0392b"))
    inside = made[:, 12:29, 12:29]
    assert (inside.max(-1) == inside.min(-1)).all()


# A network of four channels gives premultiplied colour and coverage.


def glass() -> torch.Tensor:
    """A half transparent red square before a transparent ground."""
    x = torch.zeros(1, 4, 16, 16)
    x[:, 0, 4:12, 4:12] = 0.5
    x[:, 3, 4:12, 4:12] = 0.5
    return x


def test_transparency_is_kept_and_colour_is_not_premultiplied():
    made = finished(glass(), Finish())
    assert made.shape == (1, 16, 16, 4)
    assert made[0, 8, 8].tolist() == [255, 0, 0, 128]
    assert made[0, 0, 0].tolist() == [0, 0, 0, 0]


def test_transparency_shows_the_background_asked_for():
    made = finished(glass(), Finish(background="white"))
    assert made.shape == (1, 16, 16, 3)
    assert made[0, 8, 8].tolist() == [255, 128, 128]
    assert made[0, 0, 0].tolist() == [255, 255, 255]


# Each variation alone, compared with the numbers of the image's own stream.


def test_flip_mirrors_as_often_as_asked():
    x = dots(200, (20, 8))
    assert (centres(finished(x, Finish(augment=Augment(flip=1))))[:, 0] > 0.5).all()
    sides = centres(finished(x, Finish(augment=Augment(flip=0.3))))[:, 0] > 0
    assert np.array_equal(sides, drawn(200)[:, 0] <= 0.3)
    assert 0.2 < sides.mean() < 0.4


def test_a_mirror_image_is_exact():
    x = torch.rand(4, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.5
    made = finished(x, Finish(augment=Augment(flip=1)))
    assert np.abs(made - finished(x, Finish())[:, :, ::-1]).max() <= 1


def test_rotation_turns_by_up_to_the_angle_asked_for():
    made = centres(finished(dots(60, (20, 32)), Finish(augment=Augment(rotation=40))))
    turned = np.degrees(np.arctan2(made[:, 1], made[:, 0]))
    assert turned == pytest.approx(40 * (2 * drawn(60)[:, 1] - 1), abs=1.5)
    assert turned.min() < -25
    assert turned.max() > 25


def test_crop_keeps_a_window_within_the_picture():
    share, u = 0.4, drawn(40)
    kept = 1 - share * u[:, 2]
    place = 0.4
    centre = (1 - kept)[:, None] * (2 * u[:, 3:5] - 1)
    expected = (np.array([place, 0]) - centre) / kept[:, None]
    made = centres(finished(dots(40, (20, round(CENTRE * (1 + place)))), Finish(augment=Augment(crop=share))))
    visible = (np.abs(expected) < 0.8).all(1)
    assert visible.sum() > 20
    assert made[visible] == pytest.approx(expected[visible], abs=0.04)
    full = finished(torch.full((40, 1, SIDE, SIDE), 0.6), Finish(augment=Augment(crop=share)))
    assert (np.abs(full - 153) <= 1).all()  # no window reaches beyond the picture


def test_perspective_moves_each_corner_by_its_own_draw():
    corners = {(0, 0): (-1, -1), (0, 1): (1, -1), (1, 1): (1, 1), (1, 0): (-1, 1)}
    shift = 0.3 * (2 * drawn(30)[:, 8:16].reshape(-1, 4, 2) - 1)
    x = torch.ones(30, 1, SIDE, SIDE)
    made = finished(x, Finish(augment=Augment(perspective=0.3)))[..., 0]
    for number, (x_sign, y_sign) in enumerate(corners.values()):
        inward = (shift[:, number] * (-x_sign, -y_sign) > 0.1).all(1)  # this corner shows the ground
        outward = (shift[:, number] * (x_sign, y_sign) > 0.1).all(1)
        value = made[:, 0 if y_sign < 0 else -1, 0 if x_sign < 0 else -1]
        assert (value[inward] == 0).all()
        assert (value[outward] == 255).all()
        assert inward.any()
        assert outward.any()


def test_brightness_lights_the_product_by_a_factor_and_not_the_ground():
    x = patch(0.5, count=30)
    made = finished(x, Finish(augment=Augment(brightness=0.4)))
    factors = 1 + 0.4 * (2 * drawn(30)[:, 6] - 1)
    plain = finished(x, Finish())
    assert made[:, 20, 20, 0] / plain[:, 20, 20, 0] == pytest.approx(factors, abs=0.01)
    assert (made[:, :8] == 0).all()


@pytest.mark.parametrize("ground", ["#000000", "#ffffff"])
def test_contrast_spreads_the_product_about_its_mean_and_leaves_the_ground(ground):
    x = patch(0.5, count=30) if ground == "#000000" else 1 - patch(0.5, count=30)
    made, plain = (finished(x, f, ground) for f in (Finish(augment=Augment(contrast=0.5)), Finish()))
    factors = 1 + 0.5 * (2 * drawn(30)[:, 5] - 1)
    inside = np.s_[:, 12:29, 12:29, 0]
    spread = made[inside].std((1, 2)) / plain[inside].std((1, 2))
    assert spread == pytest.approx(factors, abs=0.03)
    assert made[inside].mean((1, 2)) == pytest.approx(plain[inside].mean((1, 2)), abs=4)
    assert (made[:, :8] == plain[:, :8]).all()


def test_a_rotation_uncovers_the_ground():
    turn = Augment(rotation=180)
    x = 1 - patch(0.4, channels=3)
    assert (finished(x, Finish(augment=turn), "#ffffff")[:, [0, 0, -1, -1], [0, -1, 0, -1]] == 255).all()
    made = finished(x, Finish(augment=turn, background="#c0392b"), "#ffffff")
    assert (made[:, [0, 0, -1, -1], [0, -1, 0, -1]] == [192, 57, 43]).all()


def test_a_strength_of_zero_changes_nothing():
    nothing = Augment(flip=0.0, brightness=0.0)
    assert worst(finished(patch(), Finish(augment=nothing)), finished(patch(), Finish())) == 0


def test_one_variation_does_not_move_the_draws_of_another():
    turned = finished(dots(20, (20, 32)), Finish(augment=Augment(rotation=40)))
    lit = finished(dots(20, (20, 32)), Finish(augment=Augment(rotation=40, brightness=0.5, contrast=0.1)))
    assert centres(turned) == pytest.approx(centres(lit), abs=0.02)


ALL = Augment(flip=0.5, rotation=25, crop=0.2, brightness=0.3, contrast=0.3, perspective=0.2)


@pytest.mark.parametrize("cuts", [[12], [1] * 12, [5, 7]])
def test_variations_are_the_same_in_any_batch(cuts: Sequence[int]):
    x = torch.rand(12, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    finish = Finish(size=40, background="white", augment=ALL)
    whole = finished(x, finish)
    parts, first = [], 0
    for size in cuts:
        parts.append(finished(x[first : first + size], finish, first=first))
        first += size
    assert worst(np.concatenate(parts), whole) <= 1


def test_each_image_is_varied_in_its_own_way():
    made = finished(patch(count=12), Finish(augment=ALL))
    assert len({image.tobytes() for image in made}) == 12
    assert worst(finished(patch(count=12), Finish(augment=ALL), seed=8), made) > 20


def test_the_strongest_variations_are_still_images():
    strongest = Augment(flip=1, rotation=180, crop=0.5, brightness=1, contrast=1, perspective=0.5)
    made = finished(patch(count=64), Finish(size=32, background="white", augment=strongest))
    assert made.shape == (64, 32, 32, 1)
    assert encode(made[0].astype(np.uint8), "png")


def test_a_release_changes_no_pixels_of_a_finish() -> None:
    """Machines of two releases audit each other: other pixels need a new field or value of the finish."""
    axis = torch.linspace(-1, 1, 24)
    alpha = ((1.1 - (axis**2)[:, None] - 1.5 * axis**2) * 4).clamp(0, 1)
    colours = torch.stack([0.5 + 0.4 * axis.expand(24, 24), 0.6 - 0.3 * axis[:, None].expand(24, 24), alpha])
    x = torch.cat([colours * alpha, alpha[None]])[None].repeat(4, 1, 1, 1)
    augment = Augment(flip=0.5, rotation=20, crop=0.2, brightness=0.2, contrast=0.2, perspective=0.2)
    finishes = (
        Finish(size=40, background="#c0392b"),
        Finish(size=16, background="#c0392b"),
        Finish(size=40, background="#ffffff", augment=augment),
    )
    rows = [np.concatenate([*finished(x, finish)], 1)[..., :3] for finish in finishes]
    made = np.concatenate([np.pad(row, ((0, 0), (0, 160 - row.shape[1]), (0, 0))) for row in rows])
    kept = np.asarray(Image.open(Path(__file__).with_name("finishes.png")))
    assert worst(made.astype(np.uint8), kept) <= 1
