"""Order files that name photographs of a folder: mistakes are found before anything is sent."""

import hashlib
import json
from pathlib import Path

import pytest

from prodgen.bundled import bundled_photographs
from prodgen.client.photographs import PhotoOrder, read_photo_order
from prodgen.errors import ProdgenError
from prodgen.jobs.order_file import read_order

POLO = next(path for path in bundled_photographs() if path.stem == "polo")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for place in ("", "front", "back"):
        (folder / place).mkdir(exist_ok=True)
    (folder / "polo.jpg").write_bytes(POLO.read_bytes())
    for side in ("front", "back"):
        (folder / side / "cap.jpg").write_bytes(POLO.read_bytes() + side.encode())
    (folder / "notes.jpg").write_text("blue, size M")
    (folder / "link.jpg").symlink_to(POLO)
    return folder


def read(tmp_path: Path, photos: Path, rows: str) -> PhotoOrder:
    order = tmp_path / "order.csv"
    order.write_text(rows)
    return read_photo_order(order, photos, ["colour", "scene", "material"])


def test_scenes_and_materials_that_are_files_become_uploads(tmp_path: Path, photos: Path) -> None:
    rows = (
        "sku,photo,Scene,material\nA,polo.jpg,white|back/cap.jpg,\nB,polo.jpg,rgb(9 9 9),knit|back/cap.jpg\n"
    )
    first, second = (json.loads(line) for line in read(tmp_path, photos, rows).jsonl.splitlines()[1:])
    digest = hashlib.sha256((photos / "back" / "cap.jpg").read_bytes()).hexdigest()
    assert first["attributes"] == {"scene": ["white", digest]}
    assert second["attributes"] == {"scene": ["rgb(9 9 9)"], "material": ["knit", digest]}
    with pytest.raises(ProdgenError, match="row 3, column scene: the picture 'beach"):
        read(tmp_path, photos, "sku,photo,scene\nA,polo.jpg,\nB,polo.jpg,white|beach.jpg\n")


def test_photographs_of_one_picture_are_named_with_a_plus(tmp_path: Path, photos: Path) -> None:
    (photos / "a+b.jpg").write_bytes(POLO.read_bytes() + b"+")
    found = read(tmp_path, photos, "sku,photo\nA,polo.jpg + back/cap.jpg\nB,a+b.jpg\n")
    together, alone = (json.loads(line)["photo"] for line in found.jsonl.splitlines()[1:])
    names = [found.files[digest].name for digest in together.split("+")]
    assert names == ["polo.jpg", "cap.jpg"]
    assert found.files[alone].name == "a+b.jpg"
    with pytest.raises(
        ProdgenError, match="row 2, column photo: one picture shows at most 6 products, not 7"
    ):
        read(tmp_path, photos, f"sku,photo\nA,{'+'.join(['polo.jpg'] * 7)}\n")


def test_mattes_are_files_of_the_folder_too_and_a_place_may_be_empty(tmp_path: Path, photos: Path) -> None:
    (photos / "matte.png").write_bytes(POLO.read_bytes() + b"matte")
    rows = "sku,photo,matte\nA,polo.jpg,matte.png\nB,polo.jpg+back/cap.jpg,+matte.png\nC,polo.jpg,\n"
    one, two, none = (json.loads(line) for line in read(tmp_path, photos, rows).jsonl.splitlines()[1:])
    matte = hashlib.sha256((photos / "matte.png").read_bytes()).hexdigest()
    assert (one["matte"], two["matte"], "matte" in none) == (matte, f"+{matte}", False)
    with pytest.raises(ProdgenError, match="row 2, column matte: the picture 'hat"):
        read(tmp_path, photos, "sku,photo,matte\nA,polo.jpg,hat.png\n")


def test_rows_keep_their_numbers_and_equal_photographs_are_one(tmp_path: Path, photos: Path) -> None:
    found = read(tmp_path, photos, "sku,photo,Colour\nA,polo.jpg,red|blue\n\nB,front/cap.jpg,\nC,polo.jpg,\n")
    order = tmp_path / "sent.jsonl"
    order.write_bytes(found.jsonl)
    with order.open("rb") as file:
        items = list(read_order(file, ["colour", "scene"]))
    assert [(item.sku, item.row) for item in items] == [("A", 2), ("B", 4), ("C", 5)]
    assert items[0].attributes == {"colour": ["red", "blue"]}
    assert items[0].photo == items[2].photo != items[1].photo
    assert found.files[items[0].photo] == photos / "polo.jpg"
    assert len(found.files) == 2


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("nothere.jpg", "row 2, column photo: the picture 'nothere.jpg' is not in the folder"),
        ("cap.jpg", "has 2 files named cap.jpg: back/cap.jpg, front/cap.jpg; write the path of one"),
        ("../order.csv", "leads out of the folder"),
        ("link.jpg", "leads out of the folder"),
        ("front", "is not in the folder"),
        ("notes.jpg", "notes.jpg is no picture"),
        ("", "row 2, column photo: the row names no photograph"),
    ],
)
def test_a_photograph_that_cannot_be_sent_is_refused_with_its_row(
    tmp_path: Path, photos: Path, cell: str, sentence: str
) -> None:
    with pytest.raises(ProdgenError) as refused:
        read(tmp_path, photos, f"sku,photo,colour\nA,{cell},red\n")
    assert sentence in str(refused.value)
    assert refused.value.param == "row 2, column photo"
