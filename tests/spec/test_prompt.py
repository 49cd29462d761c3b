"""Prompts become the order that their writer means, or one sentence says why not."""

import csv
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodgen.bundled import bundled_folders
from prodgen.errors import ProdgenError
from prodgen.spec.colour import delta_e_2000, levels, parse_colour, to_lab
from prodgen.spec.colour_words import colour_words
from prodgen.spec.model_config import ModelConfig, read_config
from prodgen.spec.order import JobSpec
from prodgen.spec.prompt import read_order, read_prompt

ALIKE = 10.0
"""The greatest difference (CIEDE2000) between the colour that is read and the colour of the right reading."""
WORDS = [
    *"十三两件 色,、#0fF-'红深",
    "dark ",
    "red ",
    "on ",
    "with ",
    "no ",
    "size ",
    "dozen ",
    "hat ",
    "background ",
]
CONFIGS = {folder.name: read_config(folder) for folder in bundled_folders()}
# Later versions of `studio` may know more scenes; the right readings are those of its first attributes.
SCENES = {"kind": "named-colour", "name": "scene", "values": ["white", "studio", "floor"]}
COLOURS = {"kind": "named-colour", "name": "colour", "values": ["original"]}
CONFIGS["studio"] = ModelConfig.model_validate(
    CONFIGS["studio"].model_dump() | {"attributes": {"attributes": [COLOURS, SCENES]}}
)


def boutique(**synonyms: dict[str, list[str]]) -> ModelConfig:
    """Return the config of a model with attributes of every kind."""
    choices = {
        "category": ["handbag", "ankle-boot"],
        "colour": ["red", "navy", "black"],
        "material": ["leather", "canvas"],
        "age": ["kids", "adult"],
        "scene": ["marble", "beach"],
    }
    attributes = [
        {"name": name, "values": values, "frequencies": [1] * len(values), "synonyms": synonyms.get(name, {})}
        for name, values in choices.items()
    ]
    changes = {"attributes": {"attributes": attributes}}
    return ModelConfig.model_validate(CONFIGS["clothing"].model_dump() | changes)


def test_a_chinese_number_counts_with_the_measure_words_of_things() -> None:
    words = boutique(category={"handbag": ["寶劍", "盾牌"]})
    for prompt in ("三把寶劍", "三面盾牌", "三柄宝剑"):
        reading = read_prompt(prompt, words)
        assert (reading.count, reading.attributes["category"], reading.unread) == (3, ["handbag"], [])


def faults(name: str) -> list[str]:
    """Return the prompts of a file of ``tests/spec`` whose reading, with the unread words, is not right."""
    with (Path(__file__).parent / name).open(encoding="utf-8") as file:
        return [row["prompt"] for row in csv.DictReader(file) if not is_right(row)]


def is_right(row: dict[str, str]) -> bool:
    wanted = dict(part.partition("=")[::2] for part in row["reading"].split(";"))
    try:
        reading = read_prompt(row["prompt"], CONFIGS[row["model"]], row["model"])
    except ProdgenError:
        return "refused" in wanted
    found = {name: "|".join(values) for name, values in reading.attributes.items()}
    found |= {"count": str(reading.count)} if reading.count else {}
    found |= {"background": reading.background} if reading.background else {}
    unread = " ".join(reading.unread).split()
    same = found.keys() == wanted.keys() and all(alike(found[name], wanted[name]) for name in found)
    return same and sorted(unread) == sorted(row["unread"].replace("-", " ").split())


def alike(found: str, wanted: str) -> bool:
    pairs = list(zip(found.split("|"), wanted.split("|"), strict=False))
    same = [a == b or (a[0] == b[0] == "#" and difference(a, b) <= ALIKE) for a, b in pairs]
    return all(same) and found.count("|") == wanted.count("|")


def difference(a: str, b: str) -> float:
    return float(delta_e_2000(*(to_lab(np.array(levels(colour), np.uint8)) for colour in (a, b))))


def test_prompts_of_shoppers_and_art_directors_are_read_right() -> None:
    assert faults("prompts.csv") == []


def test_words_of_every_kind_are_read_where_the_model_has_them() -> None:
    reading = read_prompt("two dark blue leather handbags for kids on a marble table", boutique())
    assert reading.attributes == {
        "category": ["handbag"],
        "colour": ["navy"],
        "material": ["leather"],
        "age": ["kids"],
        "scene": ["marble"],
    }
    assert (reading.count, reading.unread) == (2, ["table"])
    assert read_prompt("a beach handbag", boutique()).unread == ["beach"]
    assert "colour navy (dark blue)" in reading.sentence
    assert reading.sentence.endswith("not read: table")


def test_a_config_may_name_more_words_for_its_values() -> None:
    config = boutique(category={"handbag": ["Birkin", "凯莉包"]})
    assert read_prompt("a navy Birkin", config).attributes["category"] == ["handbag"]
    assert read_prompt("黑色凯莉包", config).attributes["category"] == ["handbag"]
    with pytest.raises(ValueError, match="synonyms of 'sock', which is none of its values"):
        boutique(category={"sock": ["stocking"]})


def test_a_number_of_a_colour_is_exact_and_a_slip_of_the_pen_is_read() -> None:
    clothing = CONFIGS["clothing"]
    assert read_prompt("#000080 trowsers", clothing).attributes == {
        "category": ["pants"],
        "colour": ["#000080"],
    }
    assert read_prompt("navy trousers", clothing).attributes["colour"] == ["#1f2a44"]


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ("red teapot", "clothing makes no teapot; it makes dress"),
        ("shirts, striped and plain and dotted 3 or 4", "two counts, 3 and 4"),
        ("a red and white dress", "write 'red or white' to have pictures of each"),
        ("robe rouge", "no word means an attribute of clothing: robe rouge; write English or Chinese"),
        ("赤いドレス", "'赤いドレス' is neither"),
        ("!?", "no word means an attribute of clothing: the prompt"),
    ],
)
def test_a_prompt_that_cannot_be_made_gets_one_clear_sentence(prompt: str, sentence: str) -> None:
    with pytest.raises(ProdgenError, match=sentence.replace("?", r"\?")) as failure:
        read_prompt(prompt, CONFIGS["clothing"], "clothing")
    assert failure.value.param == "prompt"


def test_what_the_order_names_itself_comes_before_the_prompt() -> None:
    spec = JobSpec(model="clothing", prompt="three red dresses on white", attributes={"Colour": "#00ff00"})
    made, reading = read_order(spec, CONFIGS["clothing"])
    assert made.attributes == {"category": ["dress"], "colour": ["#00ff00"]}
    assert (made.count, made.finish.background, made.prompt) == (3, "#ffffff", spec.prompt)
    assert reading
    assert reading.count == 3
    own, _ = read_order(spec.model_copy(update={"count": 1}), CONFIGS["clothing"])
    assert own.count == 1


def test_prompts_that_were_kept_apart_are_read_right_but_a_few() -> None:
    assert len(faults("prompts_apart.csv")) <= 5  # as many as when they were read for the first time


@given(st.text(max_size=40) | st.lists(st.sampled_from(WORDS), max_size=12).map("".join))
def test_no_prompt_makes_the_reader_fail(prompt: str) -> None:
    with suppress(ProdgenError):
        reading = read_prompt(prompt, CONFIGS["clothing"])
        assert reading.read
        CONFIGS["clothing"].attributes.parse(reading.attributes)


def test_colour_words_do_not_depend_on_the_colours_that_were_read_before() -> None:
    parse_colour("thistle")
    colour_words.cache_clear()
    assert colour_words()["thistle"] == "#d8bfd8"
