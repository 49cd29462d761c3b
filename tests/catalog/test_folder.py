"""No photograph of a folder is left out, turned or mislabelled without a word."""

import io
import json
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from prodgen.catalog.formats import list_pictures, load_folder, open_catalogue, splits
from prodgen.catalog.left_out import left_out
from prodgen.errors import NotFound, ProdgenError

RED, GREEN, BLUE = (250, 0, 0), (0, 250, 0), (0, 0, 250)


def paint(path: Path, colour: object = RED, size: tuple[int, int] = (12, 12), mode: str = "RGB") -> Path:
    """Save a picture of one colour and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)
    return path


def shop(folder: Path, *names: str) -> Path:
    """Save a picture under each name and return the folder."""
    for name in names:
        paint(folder / name)
    return folder


def colour_of(images: np.ndarray) -> list[int]:
    """Return the colour in the middle of the first image of (N, H, W, C)."""
    return images[0, images.shape[1] // 2, images.shape[2] // 2].tolist()


def test_folders_are_categories(tmp_path):
    for k in range(3):
        paint(tmp_path / "hat" / f"{k}.png", RED)
        paint(tmp_path / "bag" / "2026" / f"{k}.png", BLUE)

    catalogue = load_folder(tmp_path, size=16)

    assert catalogue.images.shape == (6, 16, 16, 3)
    assert catalogue.values == {"category": ("bag", "hat")}
    assert catalogue.labels["category"].tolist() == [0, 0, 0, 1, 1, 1]
    assert colour_of(catalogue.images) == list(BLUE)
    assert splits(tmp_path) == ["train"]


def test_splits_number_their_categories_alike(tmp_path):
    shop(tmp_path / "train" / "bag", "1.png", "2.png")
    shop(tmp_path / "train" / "hat", "1.png", "2.png")
    shop(tmp_path / "Val" / "hat", "1.png", "2.png")
    shop(tmp_path / "test" / "hat", "1.png", "2.png", "3.png")

    test = load_folder(tmp_path, "test")

    assert test.labels["category"].tolist() == [1, 1, 1]
    assert test.values == load_folder(tmp_path).values == {"category": ("bag", "hat")}
    assert len(load_folder(tmp_path, "validation")) == 2
    assert splits(tmp_path) == ["train", "validation", "test"]


def test_long_names_are_splits_unless_they_may_be_kinds_of_sport(tmp_path):
    shop(tmp_path / "Training" / "bag", "1.png", "2.png", "3.png")
    shop(tmp_path / "testing" / "bag", "1.png", "2.png")
    assert len(load_folder(tmp_path)) == 3
    assert load_folder(tmp_path).values == {"category": ("bag",)}
    assert len(load_folder(tmp_path, "test")) == 2
    shop(tmp_path / "sport" / "training", "1.png", "2.png")
    shop(tmp_path / "sport" / "running", "1.png", "2.png")
    assert load_folder(tmp_path / "sport").values == {"category": ("running", "training")}


def test_a_split_that_is_not_there_is_answered_with_those_that_are(tmp_path):
    shop(tmp_path / "train" / "hat", "1.png", "2.png")
    with pytest.raises(NotFound, match="has no split 'test'; it has train"):
        open_catalogue(tmp_path, "test")


def test_a_folder_without_splits_keeps_a_tenth_for_tests(tmp_path):
    """A picture of the test split stays there when other pictures come into the folder."""
    source = paint(tmp_path / "1.png")
    folder = tmp_path / "shop"
    for name in [f"{kind}/{k}.png" for kind in ("bag", "hat") for k in range(80)] + [
        "cap/1.png",
        "cap/2.png",
    ]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).hardlink_to(source)

    def files(split: str) -> set[str]:
        return {p.file for p in list_pictures(folder).pictures if p.split == split}

    train, test = files("train"), files("test")
    assert splits(folder) == ["train", "test"]
    assert 10 <= len(test) <= 25
    assert list_pictures(folder).held_out == len(test)
    assert not any(file.startswith("cap") for file in test), "two pictures of a kind are needed to train on"
    assert len(load_folder(folder)) == len(train) == 162 - len(test)

    (folder / "hat" / "new.png").hardlink_to(source)
    assert train <= files("train") | {"hat/new.png"}
    assert test <= files("test")
    rows = [{"file": file, "category": file.split("/")[0]} for file in sorted(train | test)]
    write_csv(folder, rows)
    assert (files("train"), files("test")) == (train, test)
    write_csv(folder, [{**rows[0], "split": "train"}, *({**row, "split": ""} for row in rows[1:])])
    assert (splits(folder), list_pictures(folder).held_out) == (["train"], 0)


def test_pictures_alone_make_a_catalogue_without_attributes(tmp_path):
    catalogue = load_folder(shop(tmp_path, "1.png", "2.png"))
    assert (catalogue.labels, catalogue.values) == ({}, {})
    assert catalogue.schema().attributes == ()
    assert catalogue.conditions().shape == (2, 0)


ROWS = [
    {"file": "a/1.png", "colour": "red", "length": "short", "split": ""},
    {"file": "a/2.png", "colour": "blue", "length": "", "split": "train"},
    {"file": "b/3 ü.png", "colour": "red", "length": "short", "split": "train"},
    {"file": "4.png", "colour": "blue", "length": "short", "split": "Test"},
    {"file": "5.png", "colour": "", "length": "", "split": "test"},
    {"file": "b/6.png", "colour": "blue", "length": "", "split": ""},
]


def write_csv(folder: Path, rows: list[dict[str, str]], encoding: str = "utf-8") -> None:
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    (folder / "attributes.csv").write_text("\n".join(lines), encoding=encoding)


@pytest.mark.parametrize("form", ["csv", "csv from a spreadsheet", "jsonl"])
def test_a_table_labels_pictures_wherever_they_lie(tmp_path, form):
    shop(tmp_path, *(row["file"] for row in ROWS), "not in the table.png")
    if form == "jsonl":
        rows = [{n: v or None for n, v in row.items()} for row in ROWS]
        (tmp_path / "attributes.jsonl").write_text("\n\n".join(map(json.dumps, rows)))
    else:
        write_csv(tmp_path, ROWS, "utf-8-sig" if "spreadsheet" in form else "utf-8")

    train, test = load_folder(tmp_path), load_folder(tmp_path, "test")

    assert train.values == test.values == {"colour": ("blue", "red"), "length": ("short",)}
    assert train.labels["colour"].tolist() == [1, 0, 1, 0]
    assert train.labels["length"].tolist() == [0, -1, 0, -1]
    assert test.labels["colour"].tolist() == [0, -1]
    assert train.schema().attributes[1].frequencies == (1.0,)
    assert test.conditions().tolist() == [[1, 0, 1], [0, 0, 0]]


def test_a_table_over_split_folders_keeps_the_splits_apart(tmp_path):
    shop(tmp_path, "train/1.png", "train/2.png", "test/3.png", "test/4.png")
    rows = [{"file": f, "colour": "red"} for f in ("train/1.png", "train/2.png", "test/3.png", "test/4.png")]
    write_csv(tmp_path, rows)
    assert len(load_folder(tmp_path)) == len(load_folder(tmp_path, "test")) == 2


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("", r"begins with the columns \(none\); it should have one called file"),
        ("name,colour\n1.png,red", "begins with the columns name, colour; it should have one called file"),
        ("file;colour\n1.png;red", "columns file;colour; .* separated by commas"),
        ("file,colour,\n1.png,red,", "each with a name of its own"),
        ("file,colour,colour\n", "each with a name of its own"),
        ("file,colour\n", "names no picture; it should have a row for each"),
        ("file,colour\n1.png,red,long", "row 2 of attributes.csv has 3 cells; it should have 2"),
        ("file,colour\n1.png,red\n2.png", "row 3 of attributes.csv has 1 cells; it should have 2"),
        ("file,colour\n1.png,red\n1.png,blue", r"names 1\.png twice, in row 2 and row 3"),
        ("file,colour\n1.png,red\n9.png,red\n8.png,", r"2 of the 3 pictures .* not in .*: 9\.png, 8\.png"),
        ("file,colour\n,red", "row 2 of attributes.csv names the file ''; it should be a path within"),
        ("file,colour\n.,red", r"names the file '\.'"),
        ("file,colour\n../1.png,red", r"names the file '\.\./1\.png'; it should be a path within the folder"),
        ("file,colour\n/etc/passwd,red", "names the file '/etc/passwd'"),
        ("file,split\n1.png,dev", "row 2 .* has the split 'dev'; there are train, validation, test"),
        ("file,colour\n1.png,Red\n2.png,red", "has colour 'Red' and 'red'; write both alike"),
        ("file,colour\n1.png,re\x07d\n2.png,re\x07d", "characters that can be printed"),
        (f"file,colour\n1.png,{'x' * 201}\n2.png,red", "at most 200 characters"),
        (
            "file,Sku\n1.png,A\n2.png,A",
            "cannot be called 'Sku', because orders have a field or column of that",
        ),
        ("file,count\n1.png,A\n2.png,A", "rename it, for instance to product_count"),
        ("file,hue,HUE\n1.png,a,a\n2.png,a,a", "there are attributes 'hue' and 'HUE'; write both alike"),
        (
            "file,style\n1.png,A1\n2.png,A2",
            "2 of the values .* have fewer than 2 pictures to train on: style 'A1' has 1, style 'A2' has 1",
        ),
    ],
)
def test_a_table_that_is_wrong_names_the_row(tmp_path, table, words):
    shop(tmp_path, "1.png", "2.png")
    (tmp_path / "attributes.csv").write_text(table)
    with pytest.raises(ProdgenError, match=words):
        load_folder(tmp_path)


@pytest.mark.parametrize("line", ["[1]", "{", '{"file": ["1.png"]}', '{"file": "1.png", " ": "x"}', "nan"])
def test_a_line_that_is_no_row_is_named(tmp_path, line):
    shop(tmp_path, "1.png")
    (tmp_path / "attributes.jsonl").write_text('{"file": "1.png", "pieces": 3}\n' + line)
    with pytest.raises(ProdgenError, match=r"row 2 of attributes\.jsonl should be a JSON object"):
        load_folder(tmp_path)


def test_a_table_that_is_not_text_or_not_alone_is_refused(tmp_path):
    shop(tmp_path, "1.png")
    (tmp_path / "attributes.csv").write_bytes("file,colour\n1.png,grün".encode("latin-1"))
    with pytest.raises(ProdgenError, match="is not UTF-8; save it as UTF-8"):
        load_folder(tmp_path)
    (tmp_path / "attributes.jsonl").write_text("{}")
    with pytest.raises(ProdgenError, match=r"has both attributes\.csv and attributes\.jsonl; keep one"):
        load_folder(tmp_path)


def test_accents_match_however_the_file_system_spells_them(tmp_path):
    apart = unicodedata.normalize("NFD", "Röcke")
    shop(tmp_path / "folders" / apart, "1.png", "2.png")
    assert load_folder(tmp_path / "folders").values == {"category": ("Röcke",)}
    shop(tmp_path / "table", f"{apart}.png", "2.png")
    write_csv(
        tmp_path / "table", [{"file": "Röcke.png", "colour": "red"}, {"file": "2.png", "colour": "red"}]
    )
    assert len(load_folder(tmp_path / "table")) == 2


def test_odd_names_are_read_and_what_is_no_picture_is_passed_over(tmp_path):
    names = ("a b.png", "ünï—😀.PNG", "50%.png", "-rf.png", "[x].png", "quo'te\".png")
    shop(tmp_path / "hat", *names)
    for junk in (".hidden.png", "._1.png", ".DS_Store", "Thumbs.db", "notes.txt", "prices.csv"):
        (tmp_path / "hat" / junk).write_bytes(b"junk")
    shop(tmp_path / "__MACOSX", "1.png")
    shop(tmp_path / ".cache", "1.png")
    (tmp_path / "README").write_text("hats")
    (tmp_path / "hat" / "folder.png").mkdir()
    catalogue = load_folder(tmp_path)
    assert (len(catalogue), catalogue.values) == (len(names), {"category": ("hat",)})


@pytest.mark.skipif(os.name != "posix", reason="names that are no text exist on POSIX only")
def test_a_name_that_is_no_text_is_read_but_cannot_be_a_category(tmp_path):
    paint(tmp_path / "1.png").rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    assert len(load_folder(shop(tmp_path, "2.png"))) == 2
    shop(tmp_path / "shop" / os.fsdecode(b"h\xfct"), "1.png", "2.png")
    with pytest.raises(ProdgenError, match=r"has a category 'h\?t'; it should be at most"):
        load_folder(tmp_path / "shop")


def test_links_are_followed_but_not_for_ever(tmp_path):
    shop(tmp_path / "elsewhere", "1.png", "2.png")
    (tmp_path / "shop" / "hat").mkdir(parents=True)
    (tmp_path / "shop" / "hat" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "round").symlink_to(tmp_path / "shop" / "hat")
    assert len(load_folder(tmp_path / "shop")) == 2


def test_a_link_to_a_folder_around_it_brings_in_no_neighbours(tmp_path):
    shop(tmp_path, "hat/1.png", "hat/2.png", "bag/1.png", "bag/2.png")
    (tmp_path / "hat" / "up").symlink_to(tmp_path)
    (tmp_path / "all").symlink_to(".")
    train = load_folder(tmp_path)
    assert train.values == {"category": ("bag", "hat")}
    assert train.counts("category").tolist() == [2, 2]
    assert left_out(tmp_path) == {"links to a folder around them": ["all", "hat/up"]}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "holds no picture; it is empty"),
        (
            ["a.txt", "hat/b.txt", "c.pdf", "d"],
            r"holds no picture; its files are: 2 \.txt, 1 \.pdf, 1 nameless",
        ),
        (["1.png"], "has 1 picture in train; it needs at least 2"),
        (
            ["hat/1.png", "hat/2.png", "bag/1.png"],
            "1 of the values .* to train on: category 'bag' has 1; add",
        ),
        (["hat/1.png", "hat/2.png", "bag/1.txt"], "to train on: category 'bag' has none; add pictures"),
        (["train/a/1.png", "train/a/2.png", "test/b/1.png"], "category 'b' has none"),
        (["1.png", "hat/2.png"], r"has pictures \(1\.png\) beside folders \(hat\); put each picture into"),
        (
            ["train/a/1.png", "dev/a/1.png"],
            "has the folder dev beside train; .* nothing but train, validation",
        ),
        (["train/a/1.png", "1.png"], "has pictures beside train"),
        (["Hat/1.png", "hat/1.png"], "has category 'Hat' and 'hat'; write both alike"),
    ],
)
def test_a_folder_that_cannot_be_trained_on_says_why(tmp_path, names, words):
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        paint(path) if path.suffix == ".png" else path.write_text("x")
    with pytest.raises(ProdgenError, match=words):
        load_folder(tmp_path)


def test_every_broken_picture_is_counted_and_the_first_are_named(tmp_path):
    shop(tmp_path / "hat", *(f"{k}.png" for k in range(5)))
    whole = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(whole, "JPEG")
    (tmp_path / "hat" / "a.jpg").write_bytes(whole.getvalue()[:-900])
    (tmp_path / "hat" / "b.png").write_bytes(b"")
    (tmp_path / "hat" / "c.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    (tmp_path / "hat" / "d.heic").write_bytes(b"\0\0\0\x18ftypheic")

    with pytest.raises(ProdgenError) as refused:
        load_folder(tmp_path)

    sentence = str(refused.value)
    assert sentence.startswith(f"4 of the 9 pictures in {tmp_path} cannot be read: hat/a.jpg (")
    assert "hat/b.png (no JPEG, PNG, WebP, GIF, BMP, TIFF, PPM or AVIF)" in sentence
    assert "hat/c.jpg (no JPEG" in sentence  # so Ghostscript was not started
    assert sentence.endswith(", ...; repair or remove them")
    assert "d.heic" not in sentence


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    shop(tmp_path, "1.png", "2.png")
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(ProdgenError, match=r"1 of the 3 .*: bomb\.png \(too many pixels\)"):
        load_folder(tmp_path)
    Image.new("1", (11_000, 10_000)).save(tmp_path / "bomb.png")
    with pytest.raises(ProdgenError, match=r"bomb\.png \(11000x10000 pixels are too many\)"):
        load_folder(tmp_path)


def save_all(folder: Path) -> dict[str, list[int]]:
    """Save a picture in each format and mode; return the expected colour of each file."""
    grey16 = Image.fromarray(np.full((12, 12), 40_000, np.uint16))
    clear = Image.new("RGBA", (12, 12), (250, 0, 0, 0))
    palette = Image.new("RGB", (12, 12), GREEN).quantize(4)
    frames = [Image.new("RGB", (12, 12), colour) for colour in (BLUE, RED)]
    grey16.save(folder / "sixteen.png")
    grey16.save(folder / "sixteen.tif")
    Image.fromarray(np.full((12, 12), 40_000, np.int32)).save(folder / "thirtytwo.tif")
    Image.new("CMYK", (12, 12), (0, 255, 255, 0)).save(folder / "cmyk.jpg", quality=100)
    Image.new("LA", (12, 12), (90, 255)).save(folder / "la.png")
    Image.new("1", (12, 12), 1).save(folder / "bits.png")
    clear.save(folder / "clear.png")
    clear.save(folder / "clear.webp", lossless=True)
    palette.save(folder / "palette.png")
    palette.save(folder / "see-through.png", transparency=palette.getpixel((6, 6)))
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    frames[0].save(folder / "moving.webp", save_all=True, append_images=frames[1:], lossless=True)
    Image.new("RGB", (12, 12), BLUE).save(folder / "plain.bmp")
    return {
        "bits.png": [255, 255, 255], "clear.png": [255, 255, 255], "clear.webp": [255, 255, 255],
        "cmyk.jpg": [254, 0, 0], "la.png": [90, 90, 90], "moving.gif": list(BLUE), "moving.webp": list(BLUE),
        "palette.png": list(GREEN), "plain.bmp": list(BLUE), "see-through.png": [255, 255, 255],
        "sixteen.png": [156, 156, 156], "sixteen.tif": [156, 156, 156], "thirtytwo.tif": [156, 156, 156],
    }  # fmt: skip


def test_every_kind_of_picture_shows_its_colour(tmp_path):
    shown = save_all(tmp_path)
    if features.check("avif"):
        paint(tmp_path / "avif.avif", (255, 255, 255))
        shown = {"avif.avif": [255, 255, 255]} | shown
    images = load_folder(tmp_path, size=8).images
    for image, (name, colour) in zip(images, sorted(shown.items()), strict=True):
        assert np.abs(image.astype(int) - colour).max() <= 3, name


def test_greyscale_and_transparency_are_kept_where_asked(tmp_path):
    save_all(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    grey = load_folder(tmp_path, channels=1).images
    clear = load_folder(tmp_path, channels=4).images
    assert grey.shape[1:] == (64, 64, 1)
    assert (grey[names.index("la.png")] == 90).all()
    assert (grey[names.index("clear.png")] == 255).all()
    assert (clear[names.index("clear.png")] == 0).all(), "premultiplied"
    assert (clear[names.index("la.png")] == [90, 90, 90, 255]).all()


def test_pixels_that_are_no_bytes_are_a_fault_of_the_file(tmp_path):
    shop(tmp_path, "1.png")
    Image.new("F", (12, 12), 0.5).save(tmp_path / "2.tif")
    with pytest.raises(ProdgenError, match=r"2\.tif \(its pixels are neither 8 nor 16 bits\)"):
        load_folder(tmp_path)


@pytest.mark.parametrize("name", ["1.jpg", "1.png", "1.webp"])
def test_photographs_are_turned_as_the_camera_says(tmp_path, name):
    image = Image.new("RGB", (40, 40), GREEN)
    image.paste(RED, (0, 0, 40, 20))  # red above
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise: red moves to the right
    image.save(tmp_path / name, exif=exif, quality=100)
    paint(tmp_path / "2.png")
    turned = load_folder(tmp_path, size=8).images[0].astype(int)
    assert np.abs(turned[:, 7] - RED).max() < 40
    assert np.abs(turned[:, 0] - GREEN).max() < 40


@pytest.mark.parametrize("size", [(300, 100), (100, 300), (3000, 1000)])
def test_the_middle_of_a_picture_is_what_is_kept(tmp_path, size):
    for name in ("1.png", "2.jpg"):
        image = Image.new("RGB", size, RED)
        side = min(size)
        corner = ((size[0] - side) // 2, (size[1] - side) // 2)
        image.paste(BLUE, (*corner, corner[0] + side, corner[1] + side))
        image.save(tmp_path / name, quality=100, subsampling=0)
    images = load_folder(tmp_path, size=16).images.astype(int)
    assert np.abs(images - BLUE).max() < 20


def test_progress_is_reported_to_the_end(tmp_path):
    calls = []
    load_folder(
        shop(tmp_path, *(f"{k}.png" for k in range(20))),
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(k, 20) for k in range(1, 21)]


def test_the_order_is_the_same_every_time(tmp_path):
    for k in range(30):
        paint(tmp_path / f"{k:02}.png", (8 * k, 0, 0))
    images = load_folder(tmp_path, size=8).images
    assert images[:, 0, 0, 0].tolist() == [8 * k for k in range(30)]


def test_blanks_around_and_inside_names_and_values_do_not_count(tmp_path):
    for folder in (" dress", "dress ", "evening  gown", "evening\u00a0gown"):
        shop(tmp_path / "folders", f"{folder}/1.png")
    assert load_folder(tmp_path / "folders").values == {"category": ("dress", "evening gown")}
    shop(tmp_path / "table", "1.png", "2.png")
    (tmp_path / "table" / "attributes.csv").write_text(
        "file, fabric  blend \n1.png, wool  silk\n2.png,wool silk \n"
    )
    assert load_folder(tmp_path / "table").values == {"fabric blend": ("wool silk",)}


def test_a_folder_whose_name_is_blank_is_no_category(tmp_path):
    shop(tmp_path, " /1.png", " /2.png")
    with pytest.raises(ProdgenError, match="has a category ''; it should be at"):
        load_folder(tmp_path)
