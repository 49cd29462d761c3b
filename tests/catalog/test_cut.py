"""A cut keeps the sleeves and the gap between two legs."""

import numpy as np
import pytest
from PIL import Image

from prodgen.catalog.photographs import segmenter
from prodgen.catalog.photographs.colours import colour_variation, dominant_colours, pattern_of
from prodgen.catalog.photographs.cut_out import (
    THUMBNAIL,
    centre_on_canvas,
    cut_out,
    from_thumbnail,
    to_thumbnail,
)
from prodgen.catalog.photographs.cuts import cut_from_plain, first_cut, guided_cut
from prodgen.catalog.photographs.masks import decontaminate, iou, main_pieces, soft_matte
from prodgen.catalog.photographs.quality import Features, assess, features_of_cut
from prodgen.spec.colour import delta_e_2000, to_lab
from tests.catalog.photos import BLUE, GREEN, RED, SHEET, WOOD, photo, shape


def pixels(*colour, **options) -> np.ndarray:
    """Return a photograph of 96 x 128 pixels."""
    return np.array(photo(*colour, size=(96, 128), **options))


TRUTH = shape((96, 128))


@pytest.mark.parametrize("colour", [RED, BLUE, GREEN, (40, 40, 40)])
@pytest.mark.parametrize("ground", [WOOD, SHEET])
def test_a_first_cut_finds_what_differs_from_the_ground(colour, ground):
    assert iou(first_cut(pixels(colour, ground)), TRUTH) > 0.93


def test_a_second_cut_follows_the_picture_near_what_is_likely():
    likely = np.full(TRUTH.shape, 0.3, np.float32)
    likely[:8] = likely[-8:] = 0
    likely[20:110, 20:76] = 0.7  # roughly there
    likely[45:90, 40:56] = 1
    assert iou(guided_cut(pixels(RED), likely), TRUTH) > 0.9


def test_a_gap_between_two_legs_stays_open_and_a_button_is_closed():
    rgb = pixels(BLUE)
    rgb[60:110, 44:54] = rgb[2:3, 44:54]
    rgb[40:42, 47:49] = 255
    likely = np.where(TRUTH, 0.9, 0.1).astype(np.float32)
    mask = guided_cut(rgb, likely)
    assert not mask[70:100, 48].any()
    assert mask[40:42, 47:49].all()


def test_the_hook_of_a_hanger_is_no_product_and_a_strap_of_the_product_is():
    rgb, likely = pixels(BLUE), np.where(TRUTH, 0.99, 0.02).astype(np.float32)
    top = np.flatnonzero(TRUTH.any(1))[0]
    part = slice(top - 12, top + 2), slice(47, 50)
    likely[part] = 0.99
    rgb[part] = 20
    assert not guided_cut(rgb, likely)[: top - 3].any()
    rgb[part] = BLUE
    assert guided_cut(rgb, likely)[top - 8, 48]


def test_a_small_hole_that_is_improbable_stays_open():
    rgb, likely = pixels(BLUE, SHEET), np.where(TRUTH, 0.99, 0.02).astype(np.float32)
    likely[70:75, 47:50] = 0.3
    rgb[70:75, 47:50] = rgb[2, 2]
    assert not guided_cut(rgb, likely)[71:74, 48].any()


def test_a_pair_has_two_pieces_and_crumbs_are_none():
    mask = np.zeros((50, 50), bool)
    mask[5:20, 5:20] = mask[30:42, 30:42] = mask[45:47, 5:7] = True
    kept = main_pieces(mask)
    assert kept[10, 10]
    assert kept[35, 35]
    assert not kept[45, 5]


def test_white_on_white_keeps_its_inside():
    rgb = np.full((*TRUTH.shape, 3), 255, np.uint8)
    rgb[TRUTH] = 225
    rgb[50:70, 44:52] = 255  # a print as white as the ground
    found = cut_from_plain(rgb)
    assert iou(found, TRUTH) > 0.97
    assert found[60, 48]


def test_a_photographed_ground_is_not_of_one_colour():
    assert cut_from_plain(pixels(RED, WOOD)) is None
    assert cut_from_plain(np.full((60, 60, 3), 255, np.uint8)) is None


def test_an_edge_has_no_colour_of_the_ground():
    ground = (20, 200, 20)
    sharp = pixels(RED, ground, grain=0).astype(float)
    blurred = np.stack([_blurred(sharp[..., k]) for k in range(3)], -1).astype(np.uint8)
    matte = soft_matte(blurred, TRUTH)
    assert ((matte > 0) & (matte < 1)).any()
    rgba = centre_on_canvas(decontaminate(blurred, matte), matte, 64)
    seen = rgba[rgba[..., 3] > 60].astype(float)
    lab = to_lab(np.minimum(seen[:, :3] / seen[:, 3:], 1))
    assert np.quantile(delta_e_2000(lab, to_lab(RED)), 0.98) < 8


def _blurred(plane: np.ndarray) -> np.ndarray:
    padded = np.pad(plane, 1, mode="edge")
    rows = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    return (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 3


def test_a_thumb_goes_back_to_where_it_came_from():
    mask = (TRUTH * 255).astype(np.uint8)
    assert to_thumbnail(mask).shape == (THUMBNAIL, THUMBNAIL)
    assert iou(from_thumbnail(to_thumbnail(mask), TRUTH.shape) > 127, TRUTH) > 0.95


def test_colours_are_named_with_their_shares_whatever_the_light():
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[8:56, 8:56, 3] = 255
    rgba[8:44, 8:56, :3], rgba[44:56, 8:56, :3] = RED, BLUE
    light = np.linspace(0.8, 1.1, 48)[None, :, None]
    rgba[8:56, 8:56, :3] = np.clip(rgba[8:56, 8:56, :3] * light, 0, 255)
    named = dominant_colours(rgba)
    assert [round(share, 1) for _, share in named] == [0.8, 0.2]
    assert delta_e_2000(np.array([lab for lab, _ in named]), to_lab([RED, BLUE])).max() < 6


def test_shading_is_no_pattern_and_stripes_are():
    def pattern(rgb):
        return pattern_of(colour_variation(centre_on_canvas(rgb, TRUTH.astype(np.float32), 64)))

    light = np.linspace(0.6, 1.2, 128)[:, None, None]
    assert pattern(pixels(BLUE)) == "plain"
    assert pattern(np.clip(pixels(BLUE) * light, 0, 255).astype(np.uint8)) == "plain"
    assert pattern(pixels(BLUE, stripe=(240, 240, 240))) == "patterned"


def test_a_good_cut_is_kept_and_each_bad_one_has_its_reason():
    good = features_of_cut(pixels(RED), TRUTH, TRUTH, TRUTH)
    assert assess(good).reason is None
    assert assess(good).quality > 0.9
    reasons = {
        "hardly anything was found": good._replace(coverage=0.01),
        "hardly any background was found": good._replace(coverage=0.95),
        "the product runs over the edge of the picture": good._replace(contact=0.5),
        "what was found is in shreds": good._replace(solidity=0.1),
        "it does not have the shape that the other pictures suggest": good._replace(segmenter_iou=0.7),
        "product and background look alike": Features(0.4, 0.0, 0.9, 3.0, None, None),
    }
    for reason, features in reasons.items():
        assert assess(features).reason == reason
        assert assess(features).quality < 0.72


@pytest.fixture
def few_steps(monkeypatch):
    """Return a function that sets the number of training steps."""

    def shorten(steps):
        monkeypatch.setattr(segmenter, "_MIN_STEPS", steps)
        monkeypatch.setattr(segmenter, "_MAX_STEPS", steps)
        monkeypatch.setattr(segmenter, "_BATCH", 12)

    return shorten


def cuts(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return thumbnails of shirts, masks without the lower half in every fourth, and the true masks."""
    rng = np.random.default_rng(0)
    thumbnails, masks = [], []
    for k in range(count):
        scale = rng.uniform(0.6, 1)
        colours = rng.integers(0, 256, (2, 3)).tolist()
        thumbnails.append(to_thumbnail(pixels(*map(tuple, colours), seed=k, scale=scale)))
        masks.append(to_thumbnail(shape((96, 128), scale) * np.uint8(255)))
    truths = np.array(masks)
    for k in range(0, count, 4):
        masks[k][THUMBNAIL // 2 :] = 0
    return np.array(thumbnails), np.array(masks), truths


def test_what_good_cuts_have_in_common_mends_the_bad_ones(few_steps):
    few_steps(100)
    thumbnails, masks, truths = cuts(48)
    found = np.empty_like(masks)
    segmenter.predict(segmenter.train(thumbnails, masks), thumbnails, found)
    before = iou(masks > 127, truths > 127)[::4].mean()
    after = iou(found > 127, truths > 127)[::4].mean()
    assert after > before + 0.15


def test_the_network_learns_the_same_every_time(few_steps):
    few_steps(4)
    thumbnails, masks, _ = cuts(12)
    found = np.empty((2, *masks.shape), np.uint8)
    for each in found:
        segmenter.predict(segmenter.train(thumbnails, masks), thumbnails, each)
    assert np.array_equal(*found)


def test_a_sprite_keeps_its_pixels_and_its_place(tmp_path):
    sprite = np.zeros((32, 32, 4), np.uint8)
    sprite[3:9, 20:31] = (*RED, 255)
    sprite[3, 20:31, :3] = 0
    Image.fromarray(sprite).save(tmp_path / "sword.png")
    cut, description = cut_out(32, tmp_path / "sword.png", None, np.empty(0))
    assert (cut == sprite).all()
    assert description.pattern is None
    enlarged, _ = cut_out(64, tmp_path / "sword.png", None, np.empty(0))
    assert enlarged[..., 3].any(0).sum() > 50
