"""An order's images lie on sprite sheets where their index says, and a game engine finds them there."""

import io
import json

import pytest
from PIL import Image

from prodgen.errors import ProdgenError
from prodgen.pipeline import make_spec
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.provenance import GENERATED, read_provenance
from prodgen.spec.sprite_sheet import GAP, SIDE, Layout, pack
from tests.jobs.workshop import LINE


def image(index: int, size: int) -> tuple[ManifestLine, bytes]:
    """An image of one colour, which is half transparent."""
    buffer = io.BytesIO()
    Image.new("RGBA", (size, size), (index % 256, 9, index // 256, 128)).save(buffer, "png")
    return ManifestLine(
        **{**LINE, "index": index, "draw": index, "file": f"{index:09d}.png"}
    ), buffer.getvalue()


def test_each_image_is_at_its_frame_and_a_missing_one_leaves_its_place_free() -> None:
    layout = Layout(500, 20)
    assert (layout.columns, layout.sheets) == (4, 2)
    missing, held = 5, [image(index, 500) for index in range(20)]
    sheets = list(pack(layout, [one for one in held if one[0].index != missing]))

    assert [sheet.name for sheet in sheets] == ["sprites-0", "sprites-1"]
    assert [len(sheet.lines) for sheet in sheets] == [15, 4]
    for sheet in sheets:
        picture, atlas = Image.open(io.BytesIO(sheet.png)), json.loads(sheet.atlas)
        assert (picture.mode, picture.width) == ("RGBA", 4 * (500 + GAP) - GAP)
        assert picture.width <= SIDE
        assert atlas["meta"]["size"] == {"w": picture.width, "h": picture.height}
        assert atlas["meta"]["image"] == f"{sheet.name}.png"
        for line in sheet.lines:
            x, y, w, h = line.frame or (0, 0, 0, 0)
            entry = atlas["frames"][f"{line.index:09d}.png"]
            assert entry["frame"] == {"x": x, "y": y, "w": w, "h": h}
            found = picture.crop((x, y, x + w, y + h))
            assert found.getcolors() == [(500 * 500, (line.index, 9, 0, 128))]
        assert line.file == f"{sheet.name}.png"
        assert read_provenance(io.BytesIO(sheet.png)).digital_source_type == GENERATED
    left, top, *_ = layout.frame(missing)
    assert Image.open(io.BytesIO(sheets[0].png)).getpixel((left + 9, top + 9)) == (0, 0, 0, 0)
    assert json.loads(sheets[0].atlas)["meta"]["related_multi_packs"] == ["sprites-1.json"]


@pytest.mark.parametrize(("size", "total"), [(8, 1), (64, 40), (2048, 3), (100, 401)])
def test_a_sheet_is_never_larger_than_its_bound_and_has_no_empty_edge(size: int, total: int) -> None:
    layout = Layout(size, total)
    for sheet in range(layout.sheets):
        width, height = layout.dimensions(sheet)
        frames = [layout.frame(k) for k in range(total) if k // layout.capacity == sheet]
        assert max(x + w for x, _, w, _ in frames) == width <= SIDE
        assert max(y + h for _, y, _, h in frames) == height <= SIDE


def test_sheets_of_a_lossy_format_are_refused() -> None:
    with pytest.raises(ProdgenError, match="sprite sheets are PNG files; set format to png"):
        make_spec(model="bags", output={"format": "webp", "packaging": "sheet"})
