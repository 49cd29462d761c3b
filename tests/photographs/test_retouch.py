"""A retouched product is in neutral light and upright; what needs no retouch stays."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from prodgen.catalog.picture_files import Photograph
from prodgen.errors import ProdgenError
from prodgen.photographs.cutout import cut_out
from prodgen.photographs.cutters import GrabCut
from prodgen.photographs.marked import MASK, MATTE, beside, cut_out_marked
from prodgen.photographs.retouch import lit_by_ground, retouch, tilt
from prodgen.spec.colour import to_lab

SHIRT = np.array(
    [[20, 30], [45, 20], [75, 20], [100, 30], [92, 48], [82, 44], [82, 105], [38, 105], [38, 44], [28, 48]]
)
"""The outline of a T-shirt in a frame of 120 pixels."""


def shirt(angle: float = 0.0) -> np.ndarray:
    """Return the matte of a T-shirt that is turned by ``angle`` degrees counterclockwise."""
    matte = cv2.fillPoly(np.zeros((240, 240), np.float32), [2 * SHIRT.astype(np.int32)], 1.0)
    return cv2.warpAffine(matte, cv2.getRotationMatrix2D((120, 120), angle, 1), (240, 240))


def photographed(light: tuple[float, float, float], ground: str = "white") -> np.ndarray:
    """Return a photograph of a grey T-shirt, in light of this colour (linear), on a ground."""
    grounds = {"white": (0.8, 0.8, 0.8), "red": (0.5, 0.05, 0.05), "lilac": (0.62, 0.5, 0.65)}
    linear = np.where(shirt()[..., None] > 0.5, 0.2, grounds[ground]) * light
    return (255 * linear ** (1 / 2.2)).round().astype(np.uint8)


def lab(rgb: np.ndarray) -> np.ndarray:
    """Return the colour of the T-shirt in CIELAB."""
    return to_lab(rgb[120:121, 120])[0]


def test_a_product_on_white_gets_the_light_in_which_white_is_white() -> None:
    true, dim = lab(photographed((1, 1, 1))), photographed((0.75, 0.68, 0.58))
    mended = lab(lit_by_ground(dim, shirt()))
    assert np.linalg.norm(lab(dim) - true) > 8
    assert np.linalg.norm(mended[1:]) < 1, "a grey product is grey"
    assert np.linalg.norm(mended - true) < 4


@pytest.mark.parametrize("ground", ["red", "lilac"])
def test_a_coloured_ground_is_no_measure_of_the_light(ground: str) -> None:
    rgb = photographed((0.7, 0.7, 0.7), ground)
    assert np.abs(lit_by_ground(rgb, shirt()).astype(int) - rgb).max() <= 1


def test_a_product_that_was_cut_out_before_shows_no_ground_to_measure() -> None:
    rgb = photographed((0.7, 0.7, 0.7))
    assert (retouch(("light",), rgb, shirt(), shirt(), ground=False)[0] == rgb).all()


@pytest.mark.parametrize("angle", [-7.0, 4.5])
def test_a_tilted_product_is_turned_upright_and_stays_whole(angle: float) -> None:
    matte = shirt(angle)
    rgb = np.repeat((matte[..., None] * 255).astype(np.uint8), 3, 2)
    turned, upright, region = retouch(("straighten",), rgb, matte, matte, ground=True)
    assert tilt(matte) == pytest.approx(-angle, abs=0.5)
    assert abs(tilt(upright)) <= 0.5
    assert upright.sum() == pytest.approx(matte.sum(), rel=0.01)
    assert (region == upright).all()
    assert turned.shape[:2] == upright.shape


def test_a_product_without_an_axis_is_not_turned() -> None:
    boot = np.zeros((200, 200), np.float32)
    boot[30:160, 60:100] = boot[120:160, 60:150] = 1
    assert tilt(cv2.warpAffine(boot, cv2.getRotationMatrix2D((100, 100), 6, 1), (200, 200))) == 0


def test_a_label_on_the_product_is_painted_over_and_a_hanger_beside_it_cut_away(tmp_path: Path) -> None:
    spoilt = photographed((0.9, 0.9, 0.9), "red")
    clean = cut_out(Photograph(spoilt.copy(), None, (240, 240)), GrabCut())
    spoilt[110:126, 100:130], spoilt[8:41, 112:128] = (255, 255, 0), spoilt[120, 120]
    marked = np.zeros((120, 120), np.uint8)  # a mask of half the size
    marked[55:63, 50:65] = marked[4:20, 55:65] = 255
    Image.fromarray(marked).save(tmp_path / "shirt.mask.png")
    mask, photograph = beside(tmp_path / "shirt.jpg", MASK), Photograph(spoilt, None, (240, 240))
    cut = cut_out_marked(photograph, GrabCut(), mask)
    assert (cut_out(photograph, GrabCut()).matte - clean.matte).max() > 0.9
    assert (cut.matte - clean.matte)[:38].max() < 0.5
    assert np.abs(cut.rgb.astype(int) - clean.rgb)[100:140, 80:160].max() <= 3
    layer = np.full((120, 120, 4), 255, np.uint8)  # a mask whose unmarked part is transparent white
    layer[..., 3] = marked
    Image.fromarray(layer).save(tmp_path / "shirt.mask.png")
    assert (cut_out_marked(photograph, GrabCut(), mask).matte == cut.matte).all()
    with pytest.raises(ProdgenError, match="has 120 x 120 pixels, the photograph 240 x 100"):
        cut_out_marked(Photograph(spoilt[:100], None, (240, 100)), GrabCut(), mask)


def test_a_matte_beside_a_photograph_replaces_the_cut_out_and_must_have_its_size(tmp_path: Path) -> None:
    rgb, marked = photographed((0.9, 0.9, 0.9), "red"), np.zeros((240, 240), np.uint8)
    marked[60:120, 60:120] = 255
    Image.fromarray(marked).save(tmp_path / "shirt.matte.png")
    matte, photograph = beside(tmp_path / "shirt.jpg", MATTE), Photograph(rgb, None, (240, 240))
    cut = cut_out_marked(photograph, GrabCut(), None, matte)
    assert (cut.matte == (marked == 255)).all()
    assert cut.doubts == ()
    with pytest.raises(
        ProdgenError, match=r"its matte shirt.matte.png has 240 x 240 pixels, and its photograph"
    ):
        cut_out_marked(Photograph(rgb[:100], None, (240, 100)), GrabCut(), None, matte)
    turned = Photograph(np.zeros((300, 240, 3), np.uint8), None, (300, 240))  # by EXIF
    Image.fromarray(np.zeros((300, 240), np.uint8)).save(tmp_path / "shirt.matte.png")
    assert "marks no product" in cut_out_marked(turned, GrabCut(), None, matte).doubts[0]
