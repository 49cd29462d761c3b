"""Catalogue pictures: size, place, ground, shadow, marks and presets."""

import hashlib
import io
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from prodgen.bundled import bundled_photographs
from prodgen.catalog.picture_files import decode
from prodgen.errors import ProdgenError
from prodgen.generation.encode import encode_image
from prodgen.photographs.check import check_picture
from prodgen.photographs.cutout import cut_out
from prodgen.photographs.cutters import GrabCut
from prodgen.photographs.edit import Edit, Picture, encode, make_pictures
from prodgen.photographs.presets import load_preset, preset_names
from prodgen.photographs.shadows import light_kept
from prodgen.spec.finish import Edge, Light, Pose
from prodgen.spec.provenance import GENERATED, make_xmp, read_provenance

POLO = next(path for path in bundled_photographs() if path.stem == "polo")


def pictures(edit: Edit, path: Path = POLO) -> list[Picture]:
    photograph = decode(path, 4096)
    return list(make_pictures(photograph, digest(path), cut_out(photograph, GrabCut()), "grabcut", edit))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pixels(picture: Picture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.data)).convert("RGB"))


def test_each_colour_is_made_in_each_scene() -> None:
    edit = Edit(("crimson", None), ("white", "studio"), 300, 400, format="png")
    made = pictures(edit)
    assert [(picture.look.colour, picture.scene) for picture in made] == [
        ("crimson", "white"),
        ("crimson", "studio"),
        (None, "white"),
        (None, "studio"),
    ]
    assert all(pixels(picture).shape == (400, 300, 3) for picture in made)


def test_a_colour_has_the_meaning_of_shops_and_a_scene_that_of_css() -> None:
    """CSS means an electric blue by navy, which no cloth has; files of before keep it."""
    edit = Edit(("navy",), ("navy",), 200, 200, format="png")
    (made,) = pictures(edit)
    assert made.look.colour == "navy"
    assert made.recipe["attributes"] == {"colour": "#1f2a44"}
    assert np.abs(pixels(made)[0, 0].astype(int) - (0, 0, 128)).max() <= 4
    photograph = decode(POLO, 4096)
    cut = cut_out(photograph, GrabCut())
    (before,) = make_pictures(photograph, digest(POLO), cut, "grabcut", edit, method=6)
    assert before.recipe["attributes"] == {"colour": "navy"}
    assert pixels(before)[100, 100, 2] > pixels(made)[100, 100, 2] + 30


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "avif"])
def test_a_white_ground_is_exactly_white(format: str) -> None:
    (picture,) = pictures(Edit(width=500, height=500, format=format))
    shown = pixels(picture)
    border = np.concatenate(
        [shown[:20].reshape(-1, 3), shown[-20:].reshape(-1, 3), shown[:, :20].reshape(-1, 3)]
    )
    assert (border == 255).all()


def test_the_product_fills_the_frame_and_is_centred() -> None:
    (picture,) = pictures(Edit(width=400, height=400, fill=0.9, format="png"))
    product = (pixels(picture) < 250).any(-1)
    rows, columns = (np.flatnonzero(product.any(axis)) for axis in (1, 0))
    longer = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    assert longer == pytest.approx(360, abs=6)
    assert rows[0] + rows[-1] == pytest.approx(399, abs=8)
    assert columns[0] + columns[-1] == pytest.approx(399, abs=8)


@pytest.mark.parametrize(
    ("edge", "free"),
    [
        ("top", np.s_[:200]),
        ("bottom", np.s_[400:]),
        ("left", np.s_[:, :100]),
        ("right", np.s_[:, 200:]),
    ],
)
def test_the_space_for_text_is_free(edge: Edge, free: Any) -> None:
    (picture,) = pictures(Edit(width=300, height=600, format="png", copy_space=edge))
    assert (pixels(picture)[free] == 255).all()
    assert (pixels(picture) < 250).any()
    assert picture.recipe["copy_space"] == edge


def test_the_shadow_is_on_the_ground_and_not_on_the_product() -> None:
    plain, lit = pictures(Edit(scenes=("white", "#fefefe"), width=400, height=400, format="png"))
    without, with_shadow = pixels(plain).astype(int), pixels(lit).astype(int)
    product = (without < 180).any(-1)
    inside = cv2.erode(product.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    assert np.abs(without - with_shadow)[inside].max() <= 1
    under = slice(np.flatnonzero(product.any(1))[-1] + 4, None)
    assert with_shadow[under].min() < 245


def test_light_from_the_left_casts_a_longer_shadow_to_the_right_and_none_on_white() -> None:
    def shadow(light_from: Light | None) -> np.ndarray:
        """Return the columns of the ground that the product or its shadow covers."""
        edit = Edit(scenes=("#dddddd",), width=300, height=300, format="png", light_from=light_from)
        (picture,) = pictures(edit)
        assert picture.recipe.get("light_from") == light_from
        return np.flatnonzero((pixels(picture)[100:] < 200).any((0, 2)))

    soft, left, right = shadow(None), shadow("left"), shadow("right")
    assert left[-1] > soft[-1] + 3
    assert right[0] < soft[0] - 3
    with pytest.raises(ProdgenError, match="products cast no shadow on white"):
        Edit(light_from="left").check()


def test_a_hanging_product_casts_its_shadow_aside_and_a_standing_one_at_its_feet() -> None:
    def dark(pose: Pose | None) -> np.ndarray:
        """Return where the ground is darker than it would be without the product."""
        product = np.zeros((200, 200), np.float32)
        product[40:180, 60:80] = product[40:180, 120:140] = product[40:90, 60:140] = 1
        light = light_kept(torch.from_numpy(product)[None, None], pose=pose)[0, 0].numpy()
        return np.where(product > 0, np.float32(0), 1 - light)

    flat, hanging, standing = map(dark, get_args(Pose))
    assert abs(flat[:, :60].sum() - flat[:, 140:].sum()) < 0.1 * flat.sum()
    assert hanging[40:180, 140:].sum() > 4 * hanging[40:180, :60].sum()
    assert standing[181:184, 60:80].min() > 3 * standing[181:184, 95:105].max()
    assert standing[:100].max() < 0.02
    with pytest.raises(ProdgenError, match="products cast no shadow on white"):
        Edit(pose="hanging").check()


def test_a_gradient_begins_and_ends_with_its_colours_and_gloss_reflects_the_product_below_it() -> None:
    scenes = ("skyblue/#102030", "gloss", "#f4f4f3/#dededc")
    gradient, gloss, dull = pictures(Edit(scenes=scenes, width=200, height=200, format="png"))
    assert (pixels(gradient)[0, 0] == (135, 206, 235)).all()
    assert (pixels(gradient)[-1, 0] == (16, 32, 48)).all()
    changed = np.flatnonzero((pixels(gloss) != pixels(dull)).any((1, 2)))
    assert changed[0] > 180, "the product itself has changed"
    assert changed[-1] < 199


def test_white_has_no_shadow_however_it_is_written() -> None:
    one, other = pictures(Edit(scenes=("white", "#FFFFFF"), width=200, height=200, format="png"))
    assert (pixels(one) == pixels(other)).all()


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "avif"])
def test_the_marks_are_in_every_format(format: str, tmp_path: Path) -> None:
    (picture,) = pictures(Edit(("crimson",), width=200, height=200, format=format))
    path = tmp_path / f"picture.{format}"
    path.write_bytes(picture.data)
    found = read_provenance(path)
    assert found.digital_source_type == "composite"
    assert found.recipe == picture.recipe
    assert picture.recipe["photo"] == digest(POLO)
    assert picture.recipe["attributes"] == {"colour": "#a3112a"}


def test_the_source_type_says_how_much_was_changed(tmp_path: Path) -> None:
    own, red, on_floor = (read_kind(one) for one in (Edit(), Edit(("red",)), Edit(scenes=("floor",))))
    assert (own, red, on_floor) == ("algorithmicallyEnhanced", "composite", "algorithmicallyEnhanced")
    behind = tmp_path / "behind.jpg"
    Image.new("RGB", (200, 200), "teal").save(behind)
    assert read_kind(Edit(scenes=(str(behind),))) == "compositeCapture"
    # What a model made stays marked as such, whether it is the product or the ground.
    behind.write_bytes(encode_image(Image.new("RGB", (200, 200)), "jpeg", make_xmp(GENERATED, {})))
    assert read_kind(Edit(scenes=(str(behind),))) == "compositeSynthetic"


def read_kind(edit: Edit) -> str | None:
    (picture,) = pictures(replace(edit, width=100, height=100))
    return read_provenance(io.BytesIO(picture.data)).digital_source_type


@pytest.mark.parametrize("name", preset_names())
def test_what_a_preset_makes_keeps_its_rules(name: str, tmp_path: Path) -> None:
    preset = load_preset(name)
    (picture,) = pictures(Edit.of_preset(preset, (None,), ("white",)))
    path = tmp_path / f"polo.{preset.format}"
    path.write_bytes(picture.data)
    broken = {finding.rule for finding in check_picture(path, preset)}
    # The bundled photographs have 400 pixels, which the preset enlarges: that is said, and nothing else.
    assert "resolution" in broken
    assert broken <= {"sharpness", "resolution", *(["name"] if preset.file_name else [])}
    assert picture.recipe["upscaled"] > 1


def test_a_picture_that_breaks_the_rules_is_told_so(tmp_path: Path) -> None:
    image = Image.new("RGB", (600, 600), "#fdfdfd")
    image.paste((20, 40, 120), (30, 30, 180, 180))
    path = tmp_path / "a.bmp"
    image.save(path)
    found = {finding.rule: finding for finding in check_picture(path, load_preset("amazon"))}
    assert found.keys() >= {"format", "size", "ground", "fill", "centring"}
    assert found["ground"].measured == "0.00% of it is #ffffff"


def test_a_picture_of_another_shape_breaks_the_rules_of_zalando(tmp_path: Path) -> None:
    Image.new("RGB", (1500, 1500), "white").save(tmp_path / "a.jpg")
    found = {one.rule: one for one in check_picture(tmp_path / "a.jpg", load_preset("zalando"))}
    assert found["shape"] == ("shape", "1.00 high for 1 wide", "1.44")


def test_a_noisy_picture_is_brought_to_the_weight() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 600, 3), np.uint8))
    whole = len(encode(noise, "jpeg", b"", None))
    lighter = encode(noise, "jpeg", b"", whole - 1)
    assert 600 * 600 < len(lighter) < whole


def test_a_generated_picture_is_no_photograph(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_image(Image.new("RGB", (1200, 1200), "white"), "png", make_xmp(GENERATED, {})))
    assert "origin" in {finding.rule for finding in check_picture(path, load_preset("amazon"))}


def test_bad_requests_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(ProdgenError, match="'reddish' is no colour"):
        Edit(("reddish",)).check()
    with pytest.raises(ProdgenError, match="no material is 'denin'; write stripes"):
        Edit(materials=("denin",)).check()
    with pytest.raises(ProdgenError, match="no scene is 'beach'"):
        Edit(scenes=("beach",)).check()
    with pytest.raises(ProdgenError, match="amazon wants the ground #ffffff"):
        Edit.of_preset(load_preset("amazon"), (None,), ("studio",))
    with pytest.raises(ProdgenError, match="no preset is named 'amazn'; there are amazon"):
        load_preset("amazn")
    small = tmp_path / "small.png"
    Image.new("RGB", (50, 50)).save(small)
    with pytest.raises(ProdgenError, match="has 50 x 50 pixels, less than"):
        Edit(scenes=(str(small),)).check()
