"""What a user would lose: the record from which an image can be made again."""

import json

import pytest

from prodgen.errors import ProdgenError
from prodgen.finish import Augment, Finish
from prodgen.manifest import ManifestLine, read_lines, write_lines

LINE = ManifestLine(
    index=3,
    sku="A-1",
    seed=7,
    draw=3,
    attempt=1,
    attributes={"category": "bag"},
    model="toy@0123456789ab",
    truncation=0.7,
    finish=Finish(size=64, background="white", augment=Augment(rotation=10)),
    format="png",
    precision="fp32",
    file="000000003.png",
    sha256="0" * 64,
)
PLAIN = LINE.model_copy(update={"index": 4, "sku": None, "finish": Finish(), "object": "k", "offset": 512})


def test_lines_come_back_as_they_were_written():
    assert list(read_lines(write_lines([LINE, PLAIN]))) == [LINE, PLAIN]


def test_a_line_says_only_what_it_must():
    line = json.loads(PLAIN.to_json())
    assert line["finish"] == {}
    assert "sku" not in line
    assert json.loads(LINE.to_json())["finish"] == {
        "size": 64, "background": "#ffffff", "augment": {"rotation": 10.0},
    }  # fmt: skip


def test_a_manifest_cut_short_is_noticed():
    whole = write_lines([LINE, PLAIN])
    for cut in (2, 40, 200):
        with pytest.raises(ProdgenError, match="manifest line 2 is broken"):
            list(read_lines(whole[:-cut]))


@pytest.mark.parametrize(
    ("field", "value"),
    [("seed", -1), ("seed", 2**53), ("draw", -1), ("attempt", -1), ("truncation", 0), ("truncation", 1.5),
     ("format", "bmp"), ("index", "x"), ("surprise", 1), ("finish", {"size": 1})],
)  # fmt: skip
def test_a_line_that_nobody_wrote_is_named(field, value):
    data = json.dumps({**json.loads(LINE.to_json()), field: value}).encode()
    with pytest.raises(ProdgenError, match=f"manifest line 2 is broken: {field}"):
        list(read_lines(write_lines([LINE]) + data))


def test_a_line_that_is_no_json_is_named():
    with pytest.raises(ProdgenError, match="manifest line 1 is broken: the line: Invalid JSON"):
        list(read_lines(b"\x80\x04pickle\n"))
