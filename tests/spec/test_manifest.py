"""A manifest holds all that is needed to make an image again, and never loses another request's images."""

import json

import pytest

from prodgen.errors import Conflict, ProdgenError
from prodgen.spec.finish import Augment, Finish
from prodgen.spec.manifest import ManifestLine, check_same_images, read_lines, write_lines

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


def test_a_line_leaves_out_defaults():
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
def test_an_invalid_line_is_named_with_its_field(field, value):
    data = json.dumps({**json.loads(LINE.to_json()), field: value}).encode()
    with pytest.raises(ProdgenError, match=f"manifest line 2 is broken: (there is no field )?{field}"):
        list(read_lines(write_lines([LINE]) + data))


def test_a_line_that_is_no_json_is_named():
    with pytest.raises(ProdgenError, match="manifest line 1 is broken: it is not JSON"):
        list(read_lines(b"\x80\x04pickle\n"))


ORDER = [PLAIN.model_copy(update={"index": k, "draw": k, "file": f"{k:09d}.png"}) for k in range(5)]


def other_bytes(line):
    return line.model_copy(update={"sha256": "1" * 64})


@pytest.mark.parametrize(
    "there", [[], ORDER, ORDER[:3], ORDER[2:4], [ORDER[0], ORDER[4]], list(map(other_bytes, ORDER))]
)
def test_a_request_may_be_written_over_itself(tmp_path, there):
    (tmp_path / "manifest.jsonl").write_bytes(write_lines(there))
    check_same_images(tmp_path, ORDER)


def test_a_request_goes_on_where_it_was_killed_in_the_middle_of_a_line(tmp_path):
    (tmp_path / "manifest.jsonl").write_bytes(write_lines(ORDER[:3])[:-40])
    check_same_images(tmp_path, ORDER)


def test_a_folder_without_a_manifest_takes_any_request(tmp_path):
    check_same_images(tmp_path, ORDER)
    check_same_images(tmp_path / "new", ORDER)


@pytest.mark.parametrize("change", [{"seed": 8}, {"model": "toy@ba9876543210"}, {"finish": Finish(size=8)},
    {"attributes": {"category": "hat"}}, {"file": "000000002.jpg"}, {"sku": "A-1"}])  # fmt: skip
def test_another_request_is_refused_if_any_image_differs(tmp_path, change):
    there = [*ORDER[:2], ORDER[2].model_copy(update=change), *ORDER[3:]]
    (tmp_path / "manifest.jsonl").write_bytes(write_lines(there))
    with pytest.raises(Conflict, match="already holds the images of another request"):
        check_same_images(tmp_path, ORDER)


def test_a_smaller_request_would_leave_images_of_the_larger_behind(tmp_path):
    (tmp_path / "manifest.jsonl").write_bytes(write_lines(ORDER))
    with pytest.raises(Conflict):
        check_same_images(tmp_path, ORDER[:4])


def test_a_manifest_of_something_else_is_not_written_over(tmp_path):
    (tmp_path / "manifest.jsonl").write_text('{"name": "an app"}\n')
    with pytest.raises(Conflict):
        check_same_images(tmp_path, ORDER)
