"""What a reader would lose: values in words, and tables that are whole in a narrow terminal."""

from typing import Any

import pytest

from prodgen.cli.output import print_record, print_table, results, words


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bag", "bag"),
        (None, ""),
        (True, "yes"),
        (12, "12"),
        (0.123456, "0.1235"),
        ("2026-11-28T17:24:58.123456Z", "2026-11-28 17:24"),
        (["sneaker", "bag"], "sneaker, bag"),
        ({"size": 96, "background": None, "shadow": True}, "size 96, shadow yes"),
        ({"category": ["bag", "coat"], "left": {"blank": 1}}, "category (bag, coat), left (blank 1)"),
        ([{"sku": "A-1", "count": 2}, {"sku": "B-2"}], "(sku A-1, count 2), (sku B-2)"),
    ],
)
def test_a_value_is_written_as_people_write_it(value: Any, expected: str) -> None:
    assert words(value) == expected


def test_a_record_has_a_line_for_each_field_with_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    print_record(
        {
            "id": "a" * 200,
            "error": None,
            "seed": 0,
            "finish": {"size": None},
            "note": "[red]x[/red]",
            "a long field name": 1,
        }
    )
    assert capsys.readouterr().out.splitlines() == [
        "id                " + "a" * 200,
        "seed              0",
        "note              [red]x[/red]",
        "a long field name 1",
    ]


def test_a_table_keeps_ids_whole_and_folds_what_may_be_folded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "_width", 40)
    records = [{"id": "0" * 24, "title": "[b]train the shoes", "made_by": None}]
    print_table(records, "id", "title", "made_by", fold=("title",))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["id", "title"]
    assert lines[1].split() == ["0" * 24, "[b]train", "the"]
    assert lines[2].split() == ["shoes"]

    print_table([], "id", "made_by")
    assert capsys.readouterr().out.split() == ["id", "made", "by"]
