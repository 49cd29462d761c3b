"""Recoloured products: the colour asked for is reached, and light, texture and trims stay."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from prodgen.bundled import bundled_photographs
from prodgen.catalog.picture_files import decode
from prodgen.photographs.colour_doubts import doubts_about_colour
from prodgen.photographs.cutout import CutOut, cut_out
from prodgen.photographs.cutters import GrabCut
from prodgen.photographs.product import Look, Product
from prodgen.photographs.recolour import Recolouring
from prodgen.photographs.region import main_region
from prodgen.spec.colour import delta_e_2000, parse_colour, to_lab
from prodgen.spec.finish import Frame

Colour = tuple[int, int, int]
COLOURS = ("crimson", "navy", "forestgreen", "#d9a514", "pink", "grey", "white", "black")


def labs(colours: tuple[str, ...]) -> np.ndarray:
    return to_lab([[int(parse_colour(text)[k : k + 2], 16) / 255 for k in (1, 3, 5)] for text in colours])


def recoloured(cut: CutOut, colours: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The product in these colours, (B, H, W, 3) in [0, 1], and the weight (H, W) of its main region."""
    weight = cut.region.weight
    rgb = torch.from_numpy(cut.rgb.copy()).permute(2, 0, 1)
    made = Recolouring(rgb, torch.from_numpy(weight))(torch.from_numpy(labs(colours)).float())
    return made.permute(0, 2, 3, 1).numpy(), weight


@pytest.fixture(scope="module", params=bundled_photographs(), ids=lambda path: path.stem)
def cut(request: pytest.FixtureRequest) -> CutOut:
    path: Path = request.param
    return cut_out(decode(path, 4096), GrabCut())


def test_the_mean_colour_is_the_one_asked_for(cut: CutOut) -> None:
    made, weight = recoloured(cut, COLOURS)
    means = (to_lab(made) * weight[..., None]).sum((1, 2)) / weight.sum()
    differences = delta_e_2000(means, labs(COLOURS))
    assert np.median(differences) <= 3
    assert differences.max() <= 10  # white and black, whose seams must stay visible


def test_white_shows_nothing_of_the_old_colour(cut: CutOut) -> None:
    """Neither a tint in the folds nor an outline, where the matte is soft."""
    (made,), weight = recoloured(cut, ("white",))
    chroma = np.hypot(*to_lab(made)[..., 1:].transpose(2, 0, 1))
    assert np.percentile(chroma[weight > 0.99], 99) < 3
    before = np.hypot(*to_lab(cut.rgb / 255)[..., 1:].transpose(2, 0, 1))
    outline = (cut.matte > 0.05) & (cut.matte < 0.6)
    assert np.median(chroma[outline]) < max(3, 0.1 * np.median(before[outline]))


def test_light_and_texture_stay(cut: CutOut) -> None:
    """Local contrast of lightness is that of the photograph, up to one factor for each colour."""
    made, weight = recoloured(cut, COLOURS)
    inside = (weight > 0.99).astype(np.float64)

    def local_contrast(rgb: np.ndarray) -> np.ndarray:
        """Lightness minus its mean in the neighbourhood, of which only the region counts."""
        lightness = to_lab(rgb)[..., 0]
        mean = cv2.GaussianBlur(lightness * inside, (0, 0), 4) / np.maximum(
            cv2.GaussianBlur(inside, (0, 0), 4), 1e-6
        )
        return (lightness - mean)[inside > 0]

    before = local_contrast(cut.rgb / 255)
    kept = [float(np.corrcoef(before, local_contrast(picture))[0, 1]) for picture in made]
    assert np.median(kept) >= 0.95
    assert min(kept) >= 0.85, dict(zip(COLOURS, kept, strict=True))
    assert min(local_contrast(picture).std() for picture in made) > 0.25 * before.std()


def test_what_is_not_of_the_main_colour_stays() -> None:
    """The letters on the cap and the patch on the polo keep their colours."""
    for path in bundled_photographs():
        cut = cut_out(decode(path, 4096), GrabCut())
        made, weight = recoloured(cut, ("crimson", "navy"))
        untouched = weight < 0.005
        assert untouched.mean() > 0.05
        assert np.abs(made - cut.rgb / 255)[:, untouched].max() <= 1.5 / 255, path.stem


def two_colours() -> CutOut:
    rgb = np.full((120, 120, 3), (40, 70, 160), np.uint8)
    rgb[40:80, 30:90] = (240, 220, 60)
    return CutOut(rgb, np.ones((120, 120), np.float32), 1.0, ())


def test_a_label_keeps_its_colour() -> None:
    cut = two_colours()
    made, weight = recoloured(cut, ("crimson",))
    assert weight[60, 60] < 0.01
    assert weight[10, 10] > 0.99
    assert np.abs(made[0, 60, 60] * 255 - (240, 220, 60)).max() <= 1


def test_a_pattern_without_a_main_colour_is_doubted() -> None:
    rgb = np.zeros((120, 120, 3), np.uint8)
    for k, colour in enumerate([(200, 30, 30), (30, 160, 60), (40, 60, 180), (240, 220, 60)]):
        rgb[:, k * 30 : k * 30 + 30] = colour
    cut = CutOut(rgb, np.ones((120, 120), np.float32), 1.0, ())
    assert "no colour covers more than" in (doubts_about_colour(cut.region) or "")
    assert doubts_about_colour(two_colours().region, 6) is None


def test_the_same_photograph_gives_the_same_pixels(cut: CutOut) -> None:
    one, other = (recoloured(cut, ("crimson",))[0] for _ in range(2))
    assert (one == other).all()


def test_deep_shadow_is_recoloured_with_the_product() -> None:
    """Sunlit yellow trousers have folds of dark yellow, which is a main colour of its own by area."""
    rgb = np.full((120, 120, 3), (235, 220, 40), np.uint8)
    rgb[:, ::12] = rgb[:, 1::12] = rgb[:, 2::12] = rgb[:, 3::12] = (120, 112, 15)
    cut = CutOut(rgb, np.ones((120, 120), np.float32), None, ())
    made, weight = recoloured(cut, ("navy",))
    assert weight.min() > 0.9
    lab = to_lab(made[0])
    assert (lab[..., 2] < 0).all(), "some of it stayed yellow"
    assert lab[:, 1, 0].mean() < lab[:, 8, 0].mean(), "the folds are gone"


def test_a_shadow_that_begins_gradually_is_recoloured_and_a_hard_print_is_not() -> None:
    """Deep shadow on a grey jacket is as dark as a black print; only the shadow has a soft edge."""
    across = np.linspace(0, 1, 160)
    light = 1 - 0.75 / (1 + np.exp(-(across - 0.8) * 30))
    rgb = (np.array((170, 171, 168)) * light[None, :, None]).repeat(160, 0).round().astype(np.uint8)
    rgb[60:100, 30:70] = (30, 30, 32)
    weight = main_region(rgb, np.ones((160, 160), np.float32)).weight
    assert weight[:, 150:].min() > 0.9
    assert weight[64:96, 34:66].max() < 0.1
    early = main_region(rgb, np.ones((160, 160), np.float32), method=1).weight
    assert early[:, 155:].max() < 0.5


def test_tones_of_one_hue_are_one_region_and_another_hue_is_not() -> None:
    rgb = np.empty((96, 96, 3), np.uint8)
    rgb[:48], rgb[48:, :60], rgb[48:, 60:] = (45, 125, 205), (20, 50, 120), (200, 160, 40)
    region = main_region(rgb, np.ones((96, 96), np.float32))
    assert region.weight[:, :56].min() > 0.9
    assert region.weight[52:, 64:].max() < 0.1
    assert region.share == pytest.approx(13 / 16, abs=0.02)


def test_highlights_of_a_dark_blue_are_no_violet(cut: CutOut) -> None:
    (made,), weight = recoloured(cut, ("navy",))
    red, green, _ = made[weight > 0.99].T
    assert np.percentile(red - green, 99) < 0.1


def test_a_print_is_left_whole_also_where_it_is_like_the_products_folds() -> None:
    """Dark letters on a grey shirt differ by lightness alone, as folds do; method 2 recoloured them."""
    light = np.linspace(150, 185, 160)[:, None] + np.random.default_rng(0).normal(0, 2, (160, 160))
    rgb = np.repeat(light[..., None], 3, -1)
    for left in (50, 70, 90):
        rgb[60:90, left : left + 8] = (38, 40, 44)
    rgb = rgb.clip(0, 255).astype(np.uint8)
    weight, earlier = (main_region(rgb, np.ones((160, 160), np.float32), one).weight for one in (3, 2))
    assert weight[63:87, 52:56].max() < 0.2
    assert min(weight[:52].min(), weight[98:].min(), weight[63:87, 62:66].min()) > 0.9
    assert earlier[63:87, 52:56].min() > 0.5


def test_a_black_print_on_a_clear_hue_is_left_and_a_shadow_is_not() -> None:
    """Black has a little of any hue in a photograph, so method 4 took it for shadow."""
    rgb = np.full((160, 160, 3), (215, 130, 50), np.uint8)
    rgb[60:90, 50:60], rgb[60:90, 100:120] = (34, 26, 20), (95, 54, 18)
    print_, shadow = (slice(63, 87), slice(53, 57)), (slice(63, 87), slice(103, 117))
    weight, earlier = (main_region(rgb, np.ones((160, 160), np.float32), one).weight for one in (5, 4))
    assert weight[print_].max() < 0.2
    assert min(weight[shadow].min(), earlier[print_].min()) > 0.9


def test_patches_that_would_keep_their_colour_without_a_hard_edge_are_doubted() -> None:
    across = np.clip((np.abs(np.arange(160) - 80) - 12) / 24, 0, 1)[None, :, None]
    brown = across * (200, 200, 200) + (1 - across) * (120, 85, 40)
    rgb = np.repeat(brown, 160, 0).round().astype(np.uint8)
    region = main_region(rgb, np.ones((160, 160), np.float32))
    assert region.unclear > 0.05
    assert doubts_about_colour(region) is not None
    plain = np.repeat(np.full((160, 160, 1), 200, np.uint8), 3, -1)
    assert main_region(plain, np.ones((160, 160), np.float32)).unclear == 0


def test_a_product_that_becomes_white_can_be_seen_on_white(cut: CutOut) -> None:
    (made,), weight = recoloured(cut, ("white",))
    lightness = to_lab(made)[..., 0][weight > 0.99]
    assert 88 < lightness.mean() < 94
    assert np.ptp(np.percentile(lightness, (2, 98))) > 6


def test_a_colour_that_hides_a_print_is_doubted() -> None:
    rgb = np.full((120, 120, 3), (180, 30, 40), np.uint8)
    rgb[40:70, 30:90] = (235, 235, 232)
    region = np.ones((120, 120), np.float32)
    region[40:70, 30:90] = 0
    planes, frame = (rgb, np.ones((120, 120), np.float32), region), Frame(120, 120, 0.9)
    product, earlier = (Product(*planes, frame, method=one) for one in (5, 4))
    doubts = [product.doubt(Look(colour)) for colour in ("white", "ivory", "navy", None)]
    assert [doubt is not None for doubt in doubts] == [True, True, False, False]
    assert earlier.doubt(Look("white")) is None


def test_shadows_of_a_clear_hue_are_recoloured_with_it() -> None:
    """A pink shirt is red inside its collar; the edge of this shadow is hard."""
    rgb = np.full((120, 120, 3), (235, 120, 140), np.uint8)
    rgb[20:40, 20:100] = (170, 25, 40)
    rgb[70:90, 40:60] = (240, 235, 225)
    weight = main_region(rgb, np.ones((120, 120), np.float32)).weight
    assert weight[23:37, 23:97].min() > 0.9
    assert weight[74:86, 44:56].max() < 0.1


def blotted(cloth: Colour, *blots: tuple[int, int, float, Colour]) -> np.ndarray:
    """Cloth of a colour, (400, 400, 3), with blots of 44 x 12 pixels: row, column, softness, colour."""
    rows, columns = np.mgrid[:400, :400]
    rgb = np.tile(np.array(cloth, float), (400, 400, 1))
    for row, column, softness, colour in blots:
        outside = np.maximum(np.abs(rows - row) - 6, np.abs(columns - column) - 22)
        share = 1 / (1 + np.exp(np.clip(outside / softness, -30, 30)))[..., None]
        rgb += share * (np.array(colour) - rgb)
    rgb += np.random.default_rng(0).normal(0, 2, rgb.shape)
    return rgb.clip(0, 255).round().astype(np.uint8)


@pytest.mark.parametrize(
    ("cloth", "light", "print_"),
    [
        ((26, 25, 28), (215, 217, 222), (235, 235, 235)),  # glare on black leather, and white letters
        ((196, 196, 194), (62, 61, 64), (40, 40, 42)),  # a fold of grey cloth, and black letters
    ],
    ids=["glare", "shadow"],
)
def test_light_is_told_from_a_print_by_the_width_of_its_border(
    cloth: Colour, light: Colour, print_: Colour
) -> None:
    rgb = blotted(cloth, (120, 120, 0.9, light), (280, 280, 0.3, print_))
    weight, earlier = (main_region(rgb, np.ones((400, 400), np.float32), one).weight for one in (6, 5))
    lit, printed = (slice(116, 124), slice(106, 134)), (slice(276, 284), slice(266, 294))
    assert weight[lit].min() > 0.9
    assert earlier[lit].max() < 0.1  # versions keep what they made
    assert max(weight[printed].max(), earlier[printed].max()) < 0.1


def test_a_soft_print_of_a_hue_that_light_cannot_make_is_left_and_trusted() -> None:
    rgb = blotted((150, 152, 150), *((row, 200, 1.5, (200, 60, 70)) for row in range(60, 340, 30)))
    region, earlier = (main_region(rgb, np.ones((400, 400), np.float32), one) for one in (6, 5))
    assert max(region.weight[row, 190:210].max() for row in range(60, 340, 30)) < 0.1
    assert "cannot be told apart" in (doubts_about_colour(earlier, 5) or "")
    assert doubts_about_colour(region, 6) is None


def test_a_product_that_would_keep_some_of_its_colour_is_reviewed_and_its_rim_is_not_looked_at() -> None:
    """People could use too few recoloured products with prints; a button or a seam at the rim is no print."""
    assert "a part of the product, such as a print" in (doubts_about_colour(two_colours().region) or "")
    plain = blotted((40, 70, 160))
    plain[:, :4] = (240, 220, 60)
    plain[200:208, 200:208] = (240, 240, 240)
    region = main_region(plain, np.ones((400, 400), np.float32))
    assert 0 < region.kept < 0.002
    assert doubts_about_colour(region) is None


def test_a_print_that_would_take_the_new_colour_is_reviewed() -> None:
    """Green lines on olive are of the cloth's hue, so they would be recoloured with it."""
    rgb = blotted((96, 100, 62))
    rgb[100:300:12, 80:320] = (70, 120, 50)
    region = main_region(rgb, np.ones((400, 400), np.float32))
    assert region.inked > 0.05
    assert region.kept < 0.001
    assert doubts_about_colour(region) == "a print would take the new colour"
    assert doubts_about_colour(region, 6) is None


def test_pixels_that_are_more_cloth_than_print_take_the_new_colour() -> None:
    """In yellow, a red print on black had a dark line around it."""
    rgb = blotted((30, 29, 32), (200, 200, 0.9, (220, 60, 50)))
    weight, earlier = (main_region(rgb, np.ones((400, 400), np.float32), one).weight for one in (6, 5))
    border, inside = (193, slice(182, 218)), (slice(196, 204), slice(182, 218))
    assert 40 < rgb[border][:, 0].mean() < 110, "a quarter of this row is print"
    assert weight[border].mean() > 0.9
    assert earlier[border].mean() < 0.4
    assert weight[inside].max() < 0.1
