"""Cut-outs of photographs: what is found, what is doubted, and what each cutter needs."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prodgen.bundled import bundled_photographs
from prodgen.catalog.photographs.masks import iou
from prodgen.catalog.picture_files import Photograph, decode
from prodgen.errors import ProdgenError
from prodgen.photographs.cutout import cut_out
from prodgen.photographs.cutters import GrabCut, NetworkCutter, load_cutter
from prodgen.photographs.gaps import gaps

RNG = np.random.default_rng(3)


def photograph(product: tuple[slice, slice], colour: tuple[int, int, int], size: int = 200) -> Photograph:
    """A product of one colour, with light from the left, on a rough ground of another colour."""
    rgb = RNG.normal(0, 6, (size, size, 3)) + np.array((176, 160, 132))
    light = np.linspace(1.1, 0.8, size)[None, :, None]
    rgb[product] = (np.array(colour) * light + RNG.normal(0, 3, (size, size, 3)))[product]
    return Photograph(rgb.clip(0, 255).astype(np.uint8), None, (size, size))


MIDDLE = slice(50, 150), slice(60, 140)
BLACK = (20, 20, 22)


class Certain:
    """A cutter that takes a part of each photograph for the product: slices, or a mask."""

    name = "certain"

    def __init__(self, product: Any) -> None:
        self._product = product

    def probability(self, rgb: np.ndarray) -> np.ndarray:
        certain = np.zeros(rgb.shape[:2], np.float32)
        certain[self._product] = 1
        return certain


def test_the_product_is_found_at_the_resolution_of_the_photograph() -> None:
    cut = cut_out(photograph(MIDDLE, (30, 60, 140)), GrabCut())
    wanted = np.zeros((200, 200), bool)
    wanted[MIDDLE] = True
    assert iou(cut.matte > 0.5, wanted) > 0.97
    assert cut.doubts == ()
    assert cut.rgb.shape == (200, 200, 3)


@pytest.mark.parametrize("path", bundled_photographs(), ids=lambda path: path.stem)
def test_real_photographs_are_cut_without_doubt(path: Path) -> None:
    cut = cut_out(decode(path, 4096), GrabCut())
    assert cut.doubts == ()
    assert 0.2 < cut.matte.mean() < 0.7


def test_colours_at_the_edge_are_the_products_own() -> None:
    cut = cut_out(photograph(MIDDLE, (30, 60, 140)), GrabCut())
    edge = (cut.matte > 0.1) & (cut.matte < 0.9)
    assert edge.any()
    # The ground is bright and warm; where it shines through, red exceeds blue.
    assert (cut.rgb[edge][:, 2].astype(int) > cut.rgb[edge][:, 0]).mean() > 0.95


def test_an_alpha_channel_that_marks_the_product_is_used_as_it_is() -> None:
    alpha = np.zeros((40, 40), np.uint8)
    alpha[10:30, 10:30] = 255
    rgb = np.full((40, 40, 3), 90, np.uint8)
    cut = cut_out(Photograph(rgb, alpha, (40, 40)), GrabCut())
    assert (cut.matte == alpha / 255).all()
    assert (cut.rgb == rgb).all()
    assert cut.agreement is None


@pytest.mark.parametrize(
    ("product", "reason"),
    [
        ((slice(0, 200), slice(40, 200)), "edge cuts the product off"),
        ((slice(80, 120), slice(60, 200)), "edge cuts the product off"),  # a sleeve
        ((slice(96, 104), slice(96, 104)), "covers only"),
    ],
)
def test_a_doubtful_cut_says_why(product: tuple[slice, slice], reason: str) -> None:
    cut = cut_out(photograph(product, (30, 60, 140)), Certain(product))
    assert any(reason in doubt for doubt in cut.doubts), cut.doubts


@pytest.mark.parametrize(
    ("product", "kept"), [((slice(80, 120), slice(60, 200)), True), ((slice(0, 200), slice(40, 200)), False)]
)
def test_a_model_may_learn_from_a_product_whose_sleeve_is_cut_off(
    product: tuple[slice, slice], kept: bool
) -> None:
    cut = cut_out(photograph(product, (30, 60, 140)), Certain(product), example=True)
    assert ("the photograph's edge cuts the product off" not in cut.doubts) == kept


def test_a_guess_far_from_what_the_colours_show_is_doubted() -> None:
    wrong = Certain((slice(5, 45), slice(5, 45)))
    cut = cut_out(photograph(MIDDLE, (30, 60, 140)), wrong)
    assert cut.agreement == 0.0
    assert "two cuts agree in only 0% of the area" in cut.doubts


def test_a_hanger_that_is_left_is_doubted_and_a_waistband_is_not() -> None:
    def doubts(
        *parts: tuple[slice, slice],
        colour: tuple[int, int, int] = BLACK,
        method: int = 5,
        example: bool = False,
    ) -> Any:
        shown = photograph((slice(60, 160), slice(50, 150)), (70, 90, 160))
        shown.rgb[50:60, 50:150] = BLACK
        product = np.zeros((200, 200), bool)
        product[50:160, 50:150] = True
        for part in parts:
            shown.rgb[part], product[part] = colour, True
        return cut_out(shown, Certain(product), method, example=example).doubts

    hanger = ("a hanger is left at the top; mark it in a mask",)
    hook, clips = (slice(44, 50), slice(95, 105)), [(slice(45, 50), slice(at, at + 6)) for at in (62, 132)]
    straps = [(slice(30, 50), slice(at, at + 6)) for at in (70, 124)]
    assert doubts() == ()
    assert doubts(hook) == doubts(hook, method=3) == hanger
    assert doubts(hook, example=True) == ()
    assert doubts(*clips, colour=(160, 160, 160)) == hanger
    assert doubts(*clips, colour=(160, 160, 160), method=3) == ()  # versions keep what they find
    assert doubts(clips[0], colour=(160, 160, 160)) == ()  # a loop
    assert doubts(*straps) == ()
    assert doubts(hook, colour=(200, 40, 40)) == ()  # a ribbon
    wire = slice(38, 50), slice(98, 101)
    arch = (slice(38, 42), slice(85, 116)), (slice(42, 50), slice(85, 92)), (slice(42, 50), slice(109, 116))
    for parts in ((wire,), arch):  # in the product's own colour
        assert doubts(*parts, colour=(70, 90, 160)) == hanger
        assert doubts(*parts, colour=(70, 90, 160), method=4) == ()


def test_ground_of_a_clear_hue_that_shows_through_a_gap_is_left_out() -> None:
    """A network takes the gap between a sleeve and the body for product."""
    shown = photograph(MIDDLE, (200, 205, 210))
    ground = np.ones((200, 200), bool)
    ground[MIDDLE], ground[100:130, 70:78] = False, True
    shown.rgb[ground] = (150, 30, 70)
    shown.rgb[90:110, 100:120] = (40, 60, 150)  # a print
    matte, earlier = (cut_out(shown, Certain(MIDDLE), method).matte for method in (5, 4))
    assert matte[105:125, 72:76].max() == 0
    assert min(earlier[105:125, 72:76].min(), matte[92:108, 102:118].min()) == 1


def test_ground_of_no_hue_in_a_gap_is_left_out_where_the_network_is_unsure_and_else_doubted() -> None:
    """A network is sure of most white labels, and less sure of a white wall between a sleeve and the body."""
    rgb = photograph(MIDDLE, (30, 60, 140)).rgb
    ground, product = np.ones((200, 200), bool), np.zeros((200, 200), bool)
    ground[MIDDLE], product[MIDDLE] = False, True
    by_edge, inside = (slice(90, 130), slice(62, 70)), (slice(90, 110), slice(95, 105))
    ground[by_edge] = ground[inside] = True
    rgb[ground] = (205, 205, 206)

    def found(by_the_edge: float, label: float) -> tuple[bool, bool, bool]:
        chance = product.astype(np.float32)
        chance[by_edge], chance[inside] = by_the_edge, label
        made = gaps(rgb, product, chance)
        return bool(made.mask[100:120, 64:68].all()), bool(made.mask[inside].any()), made.doubtful

    assert found(0.7, 0.99) == (True, False, False)
    assert found(0.7, 0.7) == (True, False, True)  # a label of which the network is unsure, or a gap
    assert found(0.92, 0.99) == (False, False, True)
    assert found(0.99, 0.99) == (False, False, False)
    assert not gaps(rgb, product).mask.any()  # method 5


def test_ground_that_may_show_through_a_gap_is_doubted() -> None:
    shown = photograph(MIDDLE, (30, 60, 140))
    ground = np.ones((200, 200), bool)
    ground[MIDDLE], ground[90:130, 62:70] = False, True
    shown.rgb[ground] = (205, 205, 206)

    class LessSure(Certain):
        def probability(self, rgb: np.ndarray) -> np.ndarray:
            chances = super().probability(rgb)
            chances[90:130, 62:70] = 0.93
            return chances

    reason = ("ground may show through a gap of the product",)
    assert [cut_out(shown, LessSure(MIDDLE), method).doubts for method in (6, 5)] == [reason, ()]


def test_a_hook_of_which_the_network_is_unsure_is_a_hanger() -> None:
    class UnsureOfHook(Certain):
        def probability(self, rgb: np.ndarray) -> np.ndarray:
            chances = super().probability(rgb)
            chances[44:60, 96:104] = 0.42
            return chances

    shown = photograph((slice(60, 160), slice(50, 150)), (70, 90, 160))
    shown.rgb[44:60, 96:104] = BLACK
    cutter = UnsureOfHook((slice(60, 160), slice(50, 150)))
    doubts = [cut_out(shown, cutter, method).doubts for method in (6, 5)]
    assert ["a hanger is left at the top; mark it in a mask" in one for one in doubts] == [True, False]


def test_a_gap_below_a_bar_is_a_hanger_and_below_a_handle_is_not() -> None:
    def doubts(high: int, method: int = 6) -> tuple[str, ...]:
        shown = photograph((slice(40, 160), slice(50, 150)), (30, 60, 140))
        shown.rgb[46 : 46 + high, 70:130] = (176, 160, 132)
        product = np.zeros((200, 200), bool)
        product[40:160, 50:150] = True
        product[46 : 46 + high, 70:130] = False
        return cut_out(shown, Certain(product), method).doubts

    assert doubts(7) == ("a hanger is left at the top; mark it in a mask",)
    assert doubts(7, method=5) == doubts(20) == ()


def test_a_photograph_without_a_product_is_doubted() -> None:
    nothing = Certain(np.zeros((200, 200), bool))
    assert cut_out(photograph(MIDDLE, (30, 60, 140)), nothing).doubts == ("no product was found",)


def test_without_weights_the_cutter_is_grabcut(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    assert load_cutter().name == "grabcut"


def test_a_file_that_is_not_the_published_network_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("rembg")
    (tmp_path / "u2netp.onnx").write_bytes(b"something else")
    with pytest.raises(ProdgenError, match="not the published file"):
        load_cutter("u2netp", tmp_path)


def test_weights_that_are_named_are_used_or_refused_but_never_ignored(tmp_path: Path) -> None:
    (tmp_path / "u2netp.onnx").write_bytes(b"something else")
    with pytest.raises(ProdgenError, match=r"not the published file|needs rembg"):
        load_cutter(weights=tmp_path)


def test_an_unknown_cutter_is_refused() -> None:
    with pytest.raises(ProdgenError, match=r"no cutter is named 'scissors'|needs rembg"):
        load_cutter("scissors")


def test_a_cutter_leaves_the_number_of_threads_that_the_user_has_set() -> None:
    """Workers that share cores have one thread each; with more, they wait for each other and burn time."""
    pytest.importorskip("rembg")
    code = "import torch; from prodgen.photographs.cutters import load_cutter; load_cutter('grabcut')"
    code += "; print(torch.get_num_threads())"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert told.stdout == "1\n", told.stderr


def test_the_network_guides_the_edge() -> None:
    """A session of rembg returns a picture of probabilities; GrabCut moves its edge to the photograph's."""
    from PIL import Image

    class Session:
        def predict(self, image: Image.Image) -> list[Image.Image]:
            blurred = np.zeros((200, 200), np.uint8)
            blurred[40:160, 50:150] = 140  # ten pixels too large on each side, and undecided
            blurred[60:140, 70:130] = 255
            return [Image.fromarray(blurred)]

    cut = cut_out(photograph(MIDDLE, (30, 60, 140)), NetworkCutter("toy", Session()))
    wanted = np.zeros((200, 200), bool)
    wanted[MIDDLE] = True
    assert iou(cut.matte > 0.5, wanted) > 0.95


@pytest.mark.skipif(
    "U2NET_HOME" not in os.environ, reason="U2NET_HOME does not name a folder with u2netp.onnx"
)
@pytest.mark.parametrize("path", bundled_photographs(), ids=lambda path: path.stem)
def test_the_real_network_agrees_with_the_cut_by_colour(path: Path) -> None:
    pytest.importorskip("rembg")
    cutter = load_cutter("u2netp")
    cut = cut_out(decode(path, 4096), cutter)
    assert (cutter.name, cut.doubts) == ("u2netp", ())
    assert cut.agreement is not None
    assert cut.agreement > 0.95


def test_the_hairs_of_a_rug_are_no_part_of_the_outline() -> None:
    rug = photograph(MIDDLE, (30, 60, 140))
    hairs = RNG.random((200, 200)) < 0.3
    hairs[MIDDLE] = False
    rug.rgb[hairs] = (30, 60, 140)
    matte = cut_out(rug, Certain(MIDDLE)).matte
    assert np.ptp(matte[:50, 75:125], 1).max() < 0.2  # the upper edge is straight
    assert matte[60:140, 70:130].min() == 1.0
