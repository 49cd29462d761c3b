"""Versions that make pictures of photographs: each process makes the same picture, and keeps its doubts."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from prodgen.bundled import bundled_folders, bundled_photographs
from prodgen.catalog.picture_files import decode
from prodgen.errors import ProdgenError
from prodgen.generation.encode import encode
from prodgen.photographs.check import preset_findings
from prodgen.photographs.cutout import cut_out
from prodgen.photographs.edit import Edit, make_pictures
from prodgen.photographs.learnt import Learnt
from prodgen.photographs.presets import load_preset, preset_names
from prodgen.photographs.scenes import read_background
from prodgen.photographs.studio import METHODS, Source, Studio, StudioPicture, load_studio
from prodgen.photographs.swatches import read_swatch
from prodgen.spec.finish import RETOUCHES, Finish
from prodgen.spec.matte import read_matte
from prodgen.spec.model_config import PictureRules, read_config, studio_config
from prodgen.spec.order import ImageRequest
from prodgen.spec.provenance import GENERATED, make_xmp, read_provenance

POLO, SHORTS = (path for path in bundled_photographs() if path.stem in ("polo", "shorts"))
FOLDER = next(folder for folder in bundled_folders() if folder.name == "studio-grabcut")
SMALL = Finish(size=128)
RETOUCHED = Finish(size=128, retouch=RETOUCHES)


@pytest.fixture(scope="module")
def studio() -> Studio:
    return load_studio(FOLDER, FOLDER.name)


@pytest.fixture(scope="module")
def polo(studio: Studio) -> Source:
    data = POLO.read_bytes()
    return Source(data, Learnt.from_png(studio.learn(data).to_png()))


@pytest.fixture(scope="module")
def shorts(studio: Studio) -> Source:
    """A tilted product on a white ground in warm light."""
    data = SHORTS.read_bytes()
    return Source(data, Learnt.from_png(studio.learn(data).to_png()))


def make(
    studio: Studio, source: Source, *wanted: tuple[str, ...], finish: Finish = SMALL
) -> Iterator[StudioPicture]:
    """Make a picture for each colour, scene and, if it is given, material."""
    names = ("colour", "scene", "material")
    images = [
        ImageRequest(k, 0, k, dict(zip(names, values, strict=False)), photo="p")
        for k, values in enumerate(wanted)
    ]
    return studio.pictures(images, lambda *named: source, nothing, nothing, finish, "png")


def nothing(digest: str, *size: int) -> Any:
    raise AssertionError("no upload is a background or a swatch")


def pixels(picture: StudioPicture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.data)))


def test_a_picture_depends_on_no_other_picture(studio: Studio, polo: Source) -> None:
    wanted = [("original", "white"), ("#dc143c", "floor"), ("#101070", "floor"), ("#dc143c", "#336699")]
    together = list(make(studio, polo, *wanted))
    alone = [next(make(studio, polo, one)) for one in reversed(wanted)]

    assert [one.data for one in together] == [one.data for one in reversed(alone)]
    assert len({one.data for one in together}) == 4
    assert all(one.review is None for one in together)


def test_a_picture_says_which_version_made_it_of_which_photograph(
    studio: Studio, polo: Source, tmp_path: Path
) -> None:
    file = tmp_path / "one.png"
    file.write_bytes(next(make(studio, polo, ("#dc143c", "studio"))).data)
    told = read_provenance(file)
    assert told.digital_source_type == "composite"
    assert told.recipe
    assert told.recipe["model"] == studio.id
    assert told.recipe["photo"] == "p"
    assert told.recipe["attributes"] == {"colour": "#dc143c", "scene": "studio"}


def test_a_background_of_ones_own_is_marked_for_what_it_is(studio: Studio, polo: Source) -> None:
    def made(file: bytes, colour: str) -> StudioPicture:
        image = ImageRequest(0, 0, 0, {"colour": colour, "scene": "b" * 64}, photo="p")
        read = lambda digest, height, width: read_background(file, height, width)  # noqa: E731
        (picture,) = studio.pictures([image], lambda *named: polo, read, nothing, SMALL, "png")
        return picture

    def kind(picture: StudioPicture) -> str | None:
        return read_provenance(io.BytesIO(picture.data)).digital_source_type

    wide = np.full((300, 200, 3), (10, 200, 90), np.uint8)
    captured, generated = encode(wide, "png"), encode(wide, "png", make_xmp(GENERATED, {}))
    own = made(captured, "original")
    assert (pixels(own)[0] == (10, 200, 90)).all()
    assert kind(own) == "compositeCapture"
    assert kind(made(captured, "#dc143c")) == "composite"
    assert kind(made(generated, "#dc143c")) == "compositeSynthetic"
    broken = made(
        encode(np.random.default_rng(0).integers(0, 255, (300, 200, 3), np.uint8), "jpeg")[:9000], "original"
    )
    assert broken.review
    assert broken.review.startswith("the background cannot be read")
    assert (pixels(broken)[0] == 255).all()


def test_an_order_sets_the_shape_and_the_space_for_text(studio: Studio, polo: Source) -> None:
    image = ImageRequest(0, 0, 0, {"colour": "original", "scene": "white"}, photo="p")
    finish = Finish(size=160, aspect="9:16", copy_space="top")
    (made,) = studio.pictures([image], lambda *named: polo, nothing, nothing, finish, "png")
    assert pixels(made).shape == (160, 90, 3)
    assert (pixels(made)[:53] == 255).all()
    assert not (pixels(made)[53:] == 255).all()


def test_several_products_are_shown_together_and_one_that_is_not_found_is_named(
    studio: Studio, polo: Source, tmp_path: Path
) -> None:
    blank = Source(b"", Learnt.from_png(studio.learn(b"not a photograph").to_png()))
    sources = {"p": polo, "q": polo, "blank": blank}

    def made(photo: str, colour: str = "original") -> StudioPicture:
        image = ImageRequest(0, 0, 0, {"colour": colour, "scene": "white"}, photo=photo)
        finish = Finish(size=200, aspect="16:9")
        (picture,) = studio.pictures(
            [image], lambda one, matte: sources[one], nothing, nothing, finish, "png"
        )
        return picture

    pair = pixels(made("p+q"))
    left, right = pair[:, :100], pair[:, 100:]
    assert (left == right).all()
    assert (left < 200).any()
    assert (pair[:, 97:103] == 255).all(), "the products touch"
    (tmp_path / "pair.png").write_bytes(made("p+q").data)
    assert read_provenance(tmp_path / "pair.png").digital_source_type == "compositeCapture"
    missing = made("p+blank")
    assert missing.review
    assert (pixels(missing) == pixels(made("p"))).all()


def test_a_matte_cuts_the_product_out_and_is_named_in_the_picture(studio: Studio, polo: Source) -> None:
    size, half = Image.open(POLO).size, Image.new("L", Image.open(POLO).size)
    half.paste(255, (0, 0, size[0] // 2, size[1]))
    learnt = {None: polo.learnt, "m": studio.learn(polo.data, encode(np.asarray(half)[..., None], "png"))}
    images = [
        ImageRequest(0, 0, 0, {"colour": "original", "scene": "white"}, photo="p", matte=matte)
        for matte in (None, "m", None)
    ]
    own, cut, again = studio.pictures(
        images, lambda photo, matte: Source(polo.data, learnt[matte]), nothing, nothing, SMALL, "png"
    )
    assert own.data == again.data
    assert cut.review is None
    assert (pixels(own)[64, 64:110] < 250).any()
    assert (learnt["m"].matte == np.asarray(half)).all()
    assert read_provenance(io.BytesIO(cut.data)).recipe["matte"] == "m"  # type: ignore[index]
    assert "matte" not in read_provenance(io.BytesIO(own.data)).recipe  # type: ignore[operator]


def test_a_matte_is_the_alpha_of_a_picture_or_its_grey_at_any_depth() -> None:
    marked = np.zeros((20, 30), np.uint8)
    marked[5:15, 5:20] = 255
    rgba = np.dstack([np.full((20, 30, 3), 9, np.uint8), marked])
    opaque = np.dstack([marked, marked, marked, np.full_like(marked, 255)])
    for written in (marked, rgba, opaque, marked.astype(np.uint16) * 257):
        file = io.BytesIO()
        Image.fromarray(written).save(file, "PNG")
        assert (np.asarray(read_matte(file.getvalue())) == marked).all()


def test_a_photograph_that_cannot_be_read_gives_the_scene_alone_with_the_reason(studio: Studio) -> None:
    broken = POLO.read_bytes()[:900]
    learnt = Learnt.from_png(studio.learn(broken).to_png())
    (picture,) = make(studio, Source(broken, learnt), ("#ff0000", "#00ff00"))
    assert picture.review
    assert picture.review.startswith("the photograph cannot be read")
    assert (pixels(picture) == (0, 255, 0)).all()


def test_a_matte_that_the_door_has_not_decoded_gives_its_reason(studio: Studio) -> None:
    black = encode(np.zeros((60, 90, 3), np.uint8), "png")
    for matte, reason in ((black, "the matte marks no product"), (black[:60], "the matte cannot be read")):
        learnt = studio.learn(POLO.read_bytes(), matte)
        assert not learnt.has_product
        assert learnt.doubts[0].startswith(reason)


def test_a_generated_photograph_does_not_mark_the_picture_of_the_next_one(
    studio: Studio, polo: Source, tmp_path: Path
) -> None:
    marked = encode(np.asarray(Image.open(POLO).convert("RGB")), "png", make_xmp(GENERATED, {}))
    blank = b"not a photograph"
    sources = {
        "generated": Source(marked, polo.learnt),
        "blank": Source(blank, Learnt.from_png(studio.learn(blank).to_png())),
    }
    image = ImageRequest(0, 0, 0, {"colour": "original", "scene": "white"})
    images = [replace(image, photo=photo) for photo in sources]
    _, after = studio.pictures(images, lambda one, matte: sources[one], nothing, nothing, SMALL, "png")
    (alone,) = studio.pictures(images[1:], lambda one, matte: sources[one], nothing, nothing, SMALL, "png")
    assert after.data == alone.data


def test_a_pattern_is_to_be_reviewed_in_another_colour_and_trusted_in_its_own(
    studio: Studio, polo: Source
) -> None:
    patterned = polo.learnt._replace(colour_doubt="no colour covers more than 40% of the product")
    own, red = make(studio, Source(polo.data, patterned), ("original", "white"), ("#ff0000", "white"))
    assert own.review is None
    assert red.review == "no colour covers more than 40% of the product"


def test_a_print_keeps_a_product_from_other_colours_and_stays_on_a_material(
    studio: Studio, polo: Source
) -> None:
    printed = polo.learnt._replace(colour_doubt="a print would take the new colour", patterned=False)
    looks = [("#dc143c", "white"), ("original", "white", "knit")]
    red, knit = make(studio, Source(polo.data, printed), *looks)
    (plain,) = make(studio, polo, looks[1])
    assert red.review == "a print would take the new colour"
    assert knit.review is None
    assert knit.data == plain.data


def test_a_stored_cut_out_of_an_earlier_version_is_read(polo: Source) -> None:
    """It does not say whether the product has a pattern; a doubt about the colour then meant that it has."""
    for doubt in (None, "no colour covers more than 40% of the product"):
        learnt = polo.learnt._replace(colour_doubt=doubt, patterned=doubt is not None)
        with Image.open(io.BytesIO(learnt.to_png())) as image:
            told = json.loads(image.info["prodgen"])
            about = PngImagePlugin.PngInfo()
            about.add_itxt("prodgen", json.dumps({k: v for k, v in told.items() if k != "patterned"}))
            buffer = io.BytesIO()
            image.save(buffer, "PNG", pnginfo=about)
        assert "patterned" in told
        found = Learnt.from_png(buffer.getvalue())
        assert (found.colour_doubt, found.patterned) == (doubt, learnt.patterned)
        assert (found.region == learnt.region).all()


def test_a_material_covers_a_patterned_product_whole_but_not_by_method_3(
    studio: Studio, polo: Source
) -> None:
    region = np.where(np.arange(len(polo.learnt.region))[:, None] % 40 < 20, polo.learnt.matte, 0)
    doubt = "no colour covers more than 40% of the product"
    striped = polo.learnt._replace(region=region, colour_doubt=doubt, patterned=True)
    before = of_method(studio, 3)
    look = ("#dc143c", "white", "knit")
    new, old = (next(make(one, Source(polo.data, striped), look)) for one in (studio, before))
    assert new.review is None
    assert old.review == striped.colour_doubt
    (own,) = make(studio, Source(polo.data, striped), ("original", "white"))
    kept = np.abs(pixels(old).astype(int) - pixels(own)).max(-1) <= 1
    product = (pixels(own) < 240).any(-1)
    assert 0.3 < kept[product].mean() < 0.7
    red, green, _ = pixels(new)[product].astype(int).T
    assert ((red > green + 40) | (red < 90)).mean() > 0.97


def test_presets_set_size_and_ground(studio: Studio, polo: Source) -> None:
    image = ImageRequest(0, 0, 0, {"colour": "original", "scene": "white"}, photo="p")
    (made,) = studio.pictures(
        [image], lambda *named: polo, nothing, nothing, Finish(preset="instagram"), "jpeg"
    )
    assert Image.open(io.BytesIO(made.data)).size == (1080, 1350)
    assert made.findings is not None
    assert [phrase.split()[0] for phrase in made.findings] == ["resolution"]  # polo has 400 pixels
    (plain,) = make(studio, polo, ("original", "white"))
    assert plain.findings is None
    assert preset_findings(plain.data, "instagram") == ("size 128 x 128 pixels, not a side of 566 or more",)


@pytest.mark.parametrize("name", ["studio", "studio-grabcut"])
def test_the_bundled_versions_have_the_method_and_the_presets_of_this_code(name: str) -> None:
    """A change of the presets or of the method needs new versions, or old orders could not be made again."""
    config = studio_config(read_config(FOLDER.parent / name))
    assert config
    assert config.method == METHODS[-1]
    assert config.presets == {
        preset: PictureRules.model_validate(
            {field: getattr(load_preset(preset), field) for field in PictureRules.model_fields}
        )
        for preset in preset_names()
    }


def of_method(studio: Studio, method: int) -> Studio:
    config = studio.config.model_copy(update={"method": method})
    return Studio(config, studio.name, studio.digest)


@pytest.mark.parametrize("method", METHODS[-2:])
def test_a_change_of_pixels_needs_another_method(studio: Studio, polo: Source, method: int) -> None:
    """Other pixels need the next method, versions in ``prodgen/bundled`` with it, and a method-N.png."""
    studio, polo = of_method(studio, method), Source(polo.data, of_method(studio, method).learn(polo.data))
    wanted = [("original", "white"), ("#dc143c", "floor"), ("#ffffff", "#336699"), ("#101070", "studio")]
    worn = [
        ("original", "white", "houndstooth"),
        ("#2f4a78", "white", "denim"),
        ("#5a3420", "white", "leather"),
    ]
    for looks, name in ((wanted, f"method-{method}.png"), (worn, f"method-{method}-materials.png")):
        made = np.hstack([pixels(picture) for picture in make(studio, polo, *looks)])
        kept = np.asarray(Image.open(Path(__file__).parent / name))
        assert np.abs(made.astype(int) - kept).max() <= 1

    scenes = ("wood", "concrete", "linen", "gloss", "#87ceeb/#ffffff")
    images = [ImageRequest(0, 0, 0, {"colour": "#dc143c", "scene": scene}, photo="p") for scene in scenes]
    pictures = studio.pictures(images, lambda *named: polo, nothing, nothing, Finish(size=64), "png")
    made = np.hstack([pixels(picture) for picture in pictures])
    kept = np.asarray(Image.open(Path(__file__).parent / f"method-{method}-scenes.png"))
    assert np.abs(made.astype(int) - kept).max() <= 1


@pytest.mark.parametrize("method", [2, 4, 5])
def test_a_version_of_an_earlier_method_makes_its_pictures_as_before(studio: Studio, method: int) -> None:
    before, data = of_method(studio, method), POLO.read_bytes()
    wanted = [("original", "white"), ("#dc143c", "floor"), ("#ffffff", "#336699"), ("#101070", "studio")]
    pictures = make(before, Source(data, before.learn(data)), *wanted)
    made = np.hstack([pixels(picture) for picture in pictures])
    kept = np.asarray(Image.open(Path(__file__).parent / f"method-{method}.png"))
    assert np.abs(made.astype(int) - kept).max() <= 1


@pytest.mark.parametrize("method", METHODS[-2:])
def test_a_change_of_retouched_pixels_needs_another_method(
    studio: Studio, shorts: Source, method: int
) -> None:
    (made,) = make(of_method(studio, method), shorts, ("original", "white"), finish=RETOUCHED)
    kept = np.asarray(Image.open(Path(__file__).parent / f"method-{method}-retouched.png"))
    assert np.abs(pixels(made).astype(int) - kept).max() <= 1


def test_edit_makes_the_picture_that_an_order_makes(studio: Studio, shorts: Source) -> None:
    photograph, fill = decode(SHORTS, studio.config.photo_side), studio.config.fill
    lit = {"light_from": "left", "pose": "standing"}
    changes = {"materials": (None, "stripes"), "retouch": RETOUCHES, **lit}
    edit = Edit(("#dc143c",), ("floor",), 128, 128, fill, "png", **changes)
    edited = make_pictures(photograph, "p", cut_out(photograph, studio.cutter), "grabcut", edit)
    looks = [("#dc143c", "floor", "original"), ("#dc143c", "floor", "stripes")]
    ordered = make(studio, shorts, *looks, finish=RETOUCHED.model_copy(update=lit))
    shown = [
        [np.asarray(Image.open(io.BytesIO(one.data))).astype(int) for one in two]
        for two in zip(edited, ordered, strict=True)
    ]
    assert all(np.abs(one - other).max() <= 1 for one, other in shown)
    assert np.abs(shown[0][0] - shown[1][0]).max() > 20


def test_a_swatch_of_ones_own_is_worn_and_a_broken_one_is_reviewed(studio: Studio, polo: Source) -> None:
    cloth = np.random.default_rng(0).integers(0, 90, (80, 80, 3)) + np.array([160, 0, 0])
    data = encode(cloth.astype(np.uint8), "png", make_xmp(GENERATED, {}))
    swatches = {"1" * 64: data, "2" * 64: data[:9000]}
    images = [
        ImageRequest(0, 0, 0, {"colour": "original", "scene": "white", "material": name}, photo="p")
        for name in ("original", *swatches)
    ]
    made = studio.pictures(
        images, lambda *named: polo, nothing, lambda digest: read_swatch(swatches[digest]), SMALL, "png"
    )
    own, worn, broken = made
    assert (pixels(worn)[50:90, 50:80, 0] > pixels(worn)[50:90, 50:80, 1] + 40).mean() > 0.9
    kinds = [read_provenance(io.BytesIO(one.data)).digital_source_type for one in (own, worn)]
    assert kinds == ["algorithmicallyEnhanced", "compositeSynthetic"]
    assert (own.review, worn.review) == (None, None)
    assert "the swatch cannot be read" in str(broken.review)
    assert np.abs(pixels(broken).astype(int) - pixels(own)).max() <= 1


def test_a_version_of_another_method_or_without_its_weights_makes_no_picture(tmp_path: Path) -> None:
    fields = json.loads((FOLDER / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes((FOLDER / "model.safetensors").read_bytes())
    (tmp_path / "config.json").write_text(json.dumps({**fields, "method": METHODS[-1] + 1}))
    with pytest.raises(ProdgenError, match=f"by methods 1 to {METHODS[-1]}"):
        load_studio(tmp_path, "later")

    (tmp_path / "config.json").write_text(
        json.dumps({**fields, "cutter": "u2netp", "cutter_sha256": "0" * 64})
    )
    with pytest.raises(ProdgenError, match="the cutter u2netp needs"):
        load_studio(tmp_path, "other", tmp_path).learn(b"")
