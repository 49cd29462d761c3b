"""Finishes, formats and file names are what a person would expect."""

import unicodedata

import pytest
from pydantic import ValidationError

from prodgen.spec.finish import Augment, Finish, Output, file_name, safe_name


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("white", "#ffffff"),
        ("#C0392B", "#c0392b"),
        ("#fff", "#ffffff"),
        ("rgb(1, 2, 3)", "#010203"),
        ("hsl(0, 100%, 50%)", "#ff0000"),
        ("#112233ff", "#112233"),
    ],
)
def test_a_colour_may_be_written_in_any_css_way(written, meant):
    assert Finish(background=written).background == meant


@pytest.mark.parametrize("colour", ["", "blurple", "#12", "#gggggg", "12", "rgb(300,0,0)", "rgb(0,300,300)"])
def test_what_is_no_colour_is_refused(colour):
    with pytest.raises(ValidationError, match="no colour"):
        Finish(background=colour)


@pytest.mark.parametrize("colour", ["#11223344", "rgba(0,0,0,0)", "#fff8"])
def test_a_background_that_would_not_be_one_is_refused(colour):
    with pytest.raises(ValidationError, match="write an opaque colour"):
        Finish(background=colour)


@pytest.mark.parametrize(
    "fields",
    [
        {"size": 7},
        {"size": 4096},
        {"shadow": True},
        {"augment": {"flip": 1.5}},
        {"augment": {"rotation": -1}},
    ],
)
def test_a_finish_that_cannot_be_made_is_refused(fields):
    with pytest.raises(ValidationError):
        Finish.model_validate(fields)


def test_the_default_asks_for_nothing():
    assert Finish() == Finish(size=None, background=None, augment=Augment(flip=0, rotation=0))


def test_files_are_named_by_index_or_sku():
    assert file_name(12, "png") == "000000012.png"
    assert file_name(12, "jpeg") == "000000012.jpg"
    assert file_name(12, "webp", "SKU 7/é", 3) == "000000012-SKU_7_é-3.webp"


@pytest.mark.parametrize("sku", ["../../etc/passwd", "..", ".", "/root", "a\\b", "\x00"])
def test_no_sku_leaves_the_folder(sku):
    name = file_name(0, "png", sku)
    assert name.startswith("000000000-")
    assert not {*name, *safe_name(sku)} & {"/", "\\", "\x00"}
    assert not safe_name(sku).startswith(".")


@pytest.mark.parametrize("sku", ["Größe-40", "ドレス", "платье", "कुर्ती", "dre\u0301ss", "v1.2_x"])
def test_letters_of_every_script_stay_in_the_name(sku):
    assert safe_name(sku) == unicodedata.normalize("NFC", sku)
    assert file_name(7, "png", sku, 1) == f"000000007-{safe_name(sku)}-1.png"


@pytest.mark.parametrize("sku", ["d" * 200, "ド" * 200, "\U0001d538" * 200])
def test_a_long_name_fits_into_a_file_system(sku):
    name = file_name(10**9, "jpeg", sku, 10**7)
    assert len(name.encode()) <= 255
    assert name.encode().decode() == name


def test_signs_that_hide_or_turn_letters_are_replaced():
    assert safe_name("a\u202eb\u200bc\ud800 d😀") == "a_b_c__d_"


def test_a_format_says_its_mime_type():
    assert [Output(format=f).content_type() for f in ("png", "webp", "jpeg")] == [
        "image/png", "image/webp", "image/jpeg",
    ]  # fmt: skip
