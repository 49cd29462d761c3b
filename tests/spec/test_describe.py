"""Texts about pictures name what the pictures were made with, in both languages, and nothing else."""

import pytest

from prodgen.bundled import bundled_folders
from prodgen.spec.colour import delta_e_2000, levels, to_lab
from prodgen.spec.colour_words import colour_names
from prodgen.spec.describe import LANGUAGES, Language, describe, describe_recipe
from prodgen.spec.model_config import read_config
from prodgen.spec.prompt_words import is_han


@pytest.mark.parametrize(
    ("attributes", "ground", "english", "chinese"),
    [
        (
            {"category": "shirt", "colour": "#b01e2e", "pattern": "plain"},
            "#ffffff",
            "Red plain shirt on a white background",
            "白色背景上的红色纯色衬衫",
        ),
        ({"category": "ankle-boot"}, None, "Ankle boot", "短靴"),
        ({"category": "shirt", "width": "-1.5"}, None, "Shirt", None),
        ({"colour": "original", "scene": "studio"}, None, "Product on a studio backdrop", "影棚背景上的商品"),
        (
            {"colour": "navy", "material": "stripes", "scene": "white"},
            None,
            "Navy striped product on a white background",
            None,
        ),
        (
            {"material": "denim", "colour": "original", "scene": "floor"},
            None,
            "Denim product on a floor in front of a wall",
            "地板上的牛仔商品",
        ),
        ({"colour": "navy"}, "street.jpg", "Navy product on a photographed background", None),
        ({"category": "coat", "age": "kids"}, None, "Coat; age: kids", "大衣；年龄：儿童"),  # noqa: RUF001
        ({"category": "flux {x} condenser"}, None, "Flux {x} condenser", "flux {x} condenser"),
    ],
    ids=lambda value: None,
)
def test_a_text_names_the_attributes_and_the_ground(
    attributes: dict[str, str], ground: str | None, english: str, chinese: str | None
) -> None:
    assert describe(attributes, ground, "7.png").alt == english
    if chinese:
        assert describe(attributes, ground, "7.png", "zh").alt == chinese


def test_names_of_files_say_what_is_shown_and_stay_different() -> None:
    made = {"category": "dress", "colour": "#1f2a44"}
    assert describe(made, None, "folder/000000012-A1-0.jpg").name == "navy-dress-000000012-A1-0.jpg"
    assert describe(made, None, "000000012.jpg", "zh").name == "藏青色连衣裙-000000012.jpg"


def css_crimson(language: Language) -> str:
    return describe({"colour": "#dc143c"}, None, "a.png", language).title


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_named_colour_is_called_by_its_name_and_a_far_one_by_none(language: Language) -> None:
    names = colour_names()[language]
    for value, _ in names:
        title = describe({"colour": value}, None, "a.png", language).title.casefold()
        assert title.startswith(tuple(name for known, name in names if known == value))
    assert {"en": "Crimson product", "zh": "绯红色商品"}[language] == css_crimson(language)
    unnamed = "#996699"
    table = [to_lab(levels(value)) for value, _ in colour_names()[language]]
    assert min(float(delta_e_2000(to_lab(levels(unnamed)), lab)) for lab in table) > 16
    assert describe({"colour": unnamed}, None, "a.png", language).title in ("Product", "商品")


def test_chinese_texts_of_the_bundled_models_are_chinese() -> None:
    for folder in bundled_folders():
        for attribute in read_config(folder).attributes.attributes:
            for value in getattr(attribute, "values", None) or ():
                title = describe({attribute.name: value}, None, "a.png", "zh").title
                assert any(map(is_han, title)), (value, title)


def test_a_recipe_from_anywhere_gives_texts_or_less_text() -> None:
    for recipe in ({}, {"attributes": 3}, {"attributes": {"colour": [1]}, "finish": 2}, {"scene": {"a": 1}}):
        assert describe_recipe(recipe, "a.png").title == "Product"
