"""A name or value that can be trained can also be ordered, however it is typed."""

import pytest

from prodgen.spec.spelling import did_you_mean, fold, normalise, split_pair, split_pairs, split_values


@pytest.mark.parametrize(
    "text", [" evening gown", "evening  gown\n", "evening\u00a0gown", "\tevening \t gown "]
)
def test_blanks_do_not_count(text: str) -> None:
    assert normalise(text) == "evening gown"


def test_accents_are_composed_and_nothing_else_is_changed() -> None:
    assert normalise("cafe\u0301") == "caf\u00e9"
    assert normalise("m² ½ ﬁne") == "m² ½ ﬁne"
    assert fold("Café STRASSE") == fold("CAFE\u0301 straße")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("navy", ["navy"]),
        ("navy| white ", ["navy", "white"]),
        (r"S\|M|L", ["S|M", "L"]),
        (r"a\\|b", ["a\\", "b"]),
        (r"C:\dir", [r"C:\dir"]),
        ("a=b", ["a=b"]),
        ("a||b", ["a", "", "b"]),
    ],
)
def test_values_are_split_at_bars_that_are_not_escaped(text: str, values: list[str]) -> None:
    assert split_values(text) == values


def test_a_pair_is_split_at_the_first_sign_that_is_not_escaped() -> None:
    assert split_pair(" size = S|M ") == ("size", ["S", "M"])
    assert split_pair(r"w\=h=2=3") == ("w=h", ["2=3"])
    assert split_pair(r"size=S\|M") == ("size", ["S|M"])
    for text in ("size", "size=", "=S", r"size\=S"):
        assert split_pair(text) is None


def test_pairs_are_split_at_commas_that_are_not_escaped() -> None:
    assert split_pairs(" sku = Variant SKU ,colour=Option1 Value,size") == {
        "sku": "Variant SKU",
        "colour": "Option1 Value",
        "size": "size",
    }
    assert split_pairs(r"a\=b=Body\, HTML") == {"a=b": "Body, HTML"}


@pytest.mark.parametrize(
    ("text", "names", "meant"),
    [
        ("color", ["category", "colour"], "colour"),
        ("colour", ["category", "color"], "color"),
        ("qty", ["sku", "count"], "count"),
        ("tshirt", ["dress", "t-shirt"], "t-shirt"),
        ("T Shirt", ["dress", "t-shirt"], "t-shirt"),
        ("navy blue", ["blue", "skyblue", "navy"], "navy"),
        ("summer dress", ["dress", "t-shirt"], "dress"),
        ("sneakers", ["sneaker", "bag"], "sneaker"),
        ("banana", ["bag", "hat"], None),
    ],
)
def test_the_name_that_was_probably_meant_is_suggested(
    text: str, names: list[str], meant: str | None
) -> None:
    assert did_you_mean(text, names) == (f"; did you mean {meant}?" if meant else "")
