"""``prodgen check``: text, enlarged pictures, names; and what ``--fix`` mends without harm."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from prodgen.bundled import bundled_photographs
from prodgen.catalog.picture_files import decode
from prodgen.generation.encode import encode_image
from prodgen.photographs.batch import Names
from prodgen.photographs.check import check_file, check_picture
from prodgen.photographs.enlarged import lost_detail
from prodgen.photographs.mend import mend_file, mend_picture, mended_name
from prodgen.photographs.presets import load_preset, preset_names
from prodgen.spec.provenance import GENERATED, make_xmp, read_provenance

AMAZON, EBAY, GOOGLE = map(load_preset, ("amazon", "ebay", "google"))
RED = (170, 30, 40)


def product(
    ground: tuple[int, int, int] = (255, 255, 255), box: tuple[int, int, int, int] = (60, 60, 1140, 1140)
) -> Image.Image:
    """A picture of 1,200 pixels: a sharp red product with black dots, within a box, on a plain ground."""
    image = Image.new("RGB", (1200, 1200), ground)
    draw = ImageDraw.Draw(image)
    draw.rectangle(box, fill=RED)
    for y in range(box[1] + 20, box[3] - 20, 24):
        for x in range(box[0] + 20, box[2] - 20, 24):
            draw.rectangle((x, y, x + 2, y + 3), fill=(30, 20, 20))
    return image


def encoded(image: Image.Image, format: str = "png", xmp: bytes = b"") -> bytes:
    return encode_image(image, format, xmp, **({"quality": 95} if format == "jpeg" else {}))


def broken(data: bytes, preset: str = "ebay") -> set[str]:
    return {finding.rule for finding in check_file(data, load_preset(preset))}


def written(text: str, ground: str, darkness: int = 200, size: int = 40) -> bytes:
    """A product with a semi-transparent text below it."""
    image = product(box=(200, 100, 1000, 1000)).convert("RGBA")
    if ground == "gradient":
        ramp = np.linspace(225, 245, 1200, dtype=np.uint8)[:, None].repeat(1200, 1)
        behind = Image.fromarray(ramp).convert("RGBA")
        image = Image.composite(image, behind, Image.fromarray(np.asarray(image)[..., 1] < 250))
    over = Image.new("RGBA", image.size)
    font = ImageFont.load_default(size)
    ImageDraw.Draw(over).text((40, 1120), text, font=font, fill=(0, 0, 0, darkness))
    return encoded(Image.alpha_composite(image, over).convert("RGB"), "jpeg")


@pytest.mark.parametrize("ground", ["white", "gradient"])
def test_a_caption_and_a_faint_watermark_on_the_ground_are_suspected(ground: str) -> None:
    assert "text" in broken(written("www.example.com", ground))
    assert "text" in broken(written("SAMPLE", ground, darkness=30))
    assert "text" not in broken(written("", ground))


def test_a_print_on_the_product_is_no_text_on_the_ground() -> None:
    image = product()
    ImageDraw.Draw(image).text((300, 500), "HELLO SUMMER", font=ImageFont.load_default(80), fill="white")
    assert "text" not in broken(encoded(image))


def test_an_enlarged_photograph_has_less_detail_than_pixels() -> None:
    for path in bundled_photographs():
        own = Image.fromarray(decode(path, 4096).rgb)
        twice = own.resize((2 * own.width, 2 * own.height), Image.Resampling.BICUBIC)
        assert "resolution" not in broken(encoded(own)), path.stem
        assert "resolution" in broken(encoded(twice)), path.stem
        assert lost_detail(np.asarray(twice)) > lost_detail(np.asarray(own)) + 4
    assert lost_detail(np.zeros((90, 400, 3), np.uint8)) == 0


def test_a_name_that_the_marketplace_refuses_is_found(tmp_path: Path) -> None:
    data = encoded(product(), "jpeg")

    def names(name: str, preset: str) -> list[str]:
        (tmp_path / name).write_bytes(data)
        found = check_picture(tmp_path / name, load_preset(preset))
        return [finding.wanted for finding in found if finding.rule == "name"]

    assert names("B000123456.MAIN.jpg", "amazon") == names("4006381333931.jpg", "amazon") == []
    assert (
        names("shirt.jpg", "amazon")
        == names("B000123456-1.jpg", "amazon")
        == ["one like B000123456.MAIN.jpg"]
    )
    assert names("shirt.jpg", "ebay") == []
    assert names("shirt.png", "ebay") == ["a name that ends with .jpg"]


def test_examples_of_names_keep_their_rule(tmp_path: Path) -> None:
    for preset in map(load_preset, preset_names()):
        assert (preset.file_name is None) == (preset.file_name_example is None)
        if preset.file_name_example:
            (tmp_path / preset.file_name_example).write_bytes(encoded(product(), "jpeg"))
            found = check_picture(tmp_path / preset.file_name_example, preset)
            assert "name" not in {finding.rule for finding in found}


def test_nearly_white_ground_becomes_white_and_the_product_stays() -> None:
    before = product((247, 248, 250))
    mended = mend_picture(encoded(before, xmp=make_xmp(GENERATED, {"a": 1})), GOOGLE)
    assert mended.findings == []  # google asks for no white
    mended = mend_picture(encoded(before), AMAZON)
    assert mended.findings == []
    after = np.asarray(Image.open(io.BytesIO(mended.data)))
    assert (after[:50] == 255).all()
    assert (after[60:1141, 60:1141] == np.asarray(before)[60:1141, 60:1141]).all()


def test_grey_ground_and_a_white_product_are_left_and_reported() -> None:
    grey = encoded(product((225, 225, 225)))
    assert mend_picture(grey, AMAZON).data == grey
    image = Image.new("RGB", (1200, 1200), (246, 246, 246))
    draw = ImageDraw.Draw(image)
    draw.rectangle((60, 60, 1140, 700), fill=RED)
    for y in range(720, 1140, 12):  # a white part, with seams, that cannot be told from the ground
        draw.line((200, y, 1000, y), fill=(240, 240, 240), width=2)
    seams = encoded(image)
    assert mend_picture(seams, AMAZON).data == seams
    assert "ground" in {finding.rule for finding in mend_picture(seams, AMAZON).findings}


@pytest.mark.parametrize("box", [(100, 60, 700, 600), (120, 30, 1080, 1170)], ids=["aside", "too large"])
def test_a_product_comes_to_the_middle_without_being_scaled(box: tuple[int, int, int, int]) -> None:
    before = product(box=box)
    preset = GOOGLE
    assert {finding.rule for finding in check_file(encoded(before), preset)} >= {"fill"}
    mended = mend_picture(encoded(before), preset)
    assert mended.findings == []
    after = np.asarray(Image.open(io.BytesIO(mended.data)))
    wide, high = box[2] - box[0] + 1, box[3] - box[1] + 1
    rows, columns = np.nonzero((after != 255).any(2))
    top, left = rows.min(), columns.min()
    assert (rows.max() - top + 1, columns.max() - left + 1) == (high, wide)
    shown = np.asarray(before)[box[1] : box[3] + 1, box[0] : box[2] + 1]
    assert (after[top : top + high, left : left + wide] == shown).all()


def test_a_picture_is_not_cropped_below_the_least_size() -> None:
    small = encoded(product(box=(400, 400, 700, 700)))
    mended = mend_picture(small, AMAZON)
    assert max(Image.open(io.BytesIO(mended.data)).size) >= 1000
    assert {finding.rule for finding in mended.findings} == {"fill"}


def test_marks_colours_format_and_weight_are_mended_together(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 15, (1200, 1200, 3))
    shown = np.asarray(product()).astype(float)
    shown[70:1130, 70:1130] = (shown + noise)[70:1130, 70:1130]
    image = Image.fromarray(shown.clip(0, 255).astype(np.uint8))
    buffer = io.BytesIO()
    image.convert("CMYK").save(buffer, "TIFF")
    taobao = load_preset("taobao").model_copy(update={"most_bytes": 700_000})
    assert {"colours", "format", "weight"} <= {one.rule for one in check_file(buffer.getvalue(), taobao)}
    mended = mend_picture(buffer.getvalue(), taobao)
    assert not {"colours", "format", "weight"} & {one.rule for one in mended.findings}
    assert len(mended.data) <= 700_000

    marked = encoded(product((250, 250, 250)), "webp", make_xmp(GENERATED, {"model": "m"}))
    kept = read_provenance(io.BytesIO(mend_picture(marked, AMAZON).data))
    assert kept == read_provenance(io.BytesIO(marked))
    assert kept.generative


def test_what_breaks_no_rule_is_copied_byte_for_byte() -> None:
    good = encoded(product(), "jpeg")
    assert mend_picture(good, EBAY) == (good, [])


def test_names_are_mended_where_they_hold_the_number_of_a_product(tmp_path: Path) -> None:
    assert mended_name("b000123456-front.png", "jpeg", AMAZON) == "B000123456.MAIN.jpg"
    assert mended_name("4006381333931 polo.jpg", "jpeg", AMAZON) == "4006381333931.MAIN.jpg"
    assert mended_name("B000123456.PT01.jpg", "jpeg", AMAZON) == "B000123456.PT01.jpg"
    assert mended_name("polo.tif", "jpeg", AMAZON) == "polo.jpg"
    assert mended_name("B000123456_B000123457.jpg", "jpeg", AMAZON) == "B000123456_B000123457.jpg"

    names, out = Names(), tmp_path / "out"
    out.mkdir()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "shirt.jpeg").write_bytes(encoded(product(), "jpeg"))
        mend_file(tmp_path / folder / "shirt.jpeg", out, EBAY, names)
    assert sorted(path.name for path in out.iterdir()) == ["shirt.jpg", "shirt~2.jpg"]
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    path, found = mend_file(tmp_path / "broken.jpg", out, EBAY, names)
    assert (path, [one.rule for one in found]) == (tmp_path / "broken.jpg", ["file"])


def test_the_white_of_a_hidden_ground_counts_where_a_picture_is_transparent() -> None:
    alpha = np.zeros((1200, 1200, 4), np.uint8)
    alpha[60:1141, 60:1141] = (*RED, 255)
    assert "ground" not in broken(encoded(Image.fromarray(alpha)), "amazon")
