"""A file says how its picture was made, and from what it says the picture is made again."""

import json
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from prodgen.bundled import bundled_photographs
from prodgen.cli.provenance import printable
from prodgen.files import sha256
from tests.cli.conftest import Run

POLO = next(path for path in bundled_photographs() if path.stem == "polo")


def rewritten(file: Path, to: Path, *changes: tuple[str, str]) -> Path:
    """Save a picture as PNG with its marks, in which some texts are replaced."""
    with Image.open(file) as image:
        xmp = image.info["xmp"].decode()
        for old, new in changes:
            assert old in xmp
            xmp = xmp.replace(old, new)
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp)
        image.save(to, pnginfo=info)
    return to


def test_a_generated_picture_is_made_again_from_its_file(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("generate", "fashion-mnist", "--attr", "category=bag", "--count", 2, "--out", out).code == 0
    file, again = out / "000000001.png", tmp_path / "again.png"
    read = run("provenance", file, "--remake", again, "--json")
    assert read.code == 0, read.err
    record = json.loads(read.out)
    assert (record["digital_source_type"], record["draw"]) == ("trainedAlgorithmicMedia", 1)
    assert again.read_bytes() == file.read_bytes()

    described = json.loads(run("describe", out, "--language", "zh", "--json").out)
    assert [text["name"] for text in described] == ["包-000000000.png", "包-000000001.png"]
    assert "there is no language 'de'; there are en and zh" in run("describe", out, "--language", "de").err

    other = rewritten(file, tmp_path / "other.png", ('"draw":1', '"draw":0'))
    differs = run("provenance", other, "--remake", tmp_path / "o.png")
    assert differs.code == 1
    assert "differs by" in differs.err
    for change, sentence in (
        (("fashion-mnist@", "/tmp/fashion-mnist@"), "pass the model with --model"),
        (('"draw":1', '"draw":-1'), "draw must be at least 0"),
        (('"bag"', '"\\u001b[31mbag"'), "this model makes"),
        (('"category":"bag"', '"kind":"bag"'), "has no category, which fashion-mnist@"),
    ):
        hostile = rewritten(file, tmp_path / "hostile.png", change)
        refused = run("provenance", hostile, "--remake", tmp_path / "h.png")
        assert (refused.code, refused.err.count("\n")) == (2, 1), refused.err
        assert sentence in refused.err
        assert "\x1b" not in run("provenance", hostile).out
    assert "sheet.png has no recipe" in run("provenance", out / "sheet.png", "--remake", again / "x").err


def test_a_picture_of_a_photograph_is_made_again_where_the_photograph_is(run: Run, tmp_path: Path) -> None:
    out, again = tmp_path / "out", tmp_path / "again.jpg"
    look = ("--attr", "colour=navy", "--material", "houndstooth", "--scene", "floor", "--retouch", "light")
    words = ("edit", POLO, *look, "--size", 150, "--cutter", "grabcut")
    assert run(*words, "--out", out).code == 0
    file = out / "polo-navy-houndstooth-floor.jpg"
    assert "--photos" in run("provenance", file, "--remake", again).err
    assert "is not in the folder" in run("provenance", file, "--remake", again, "--photos", out).err
    done = run("provenance", file, "--remake", again, "--photos", POLO.parent)
    assert done.code == 0, done.err
    assert again.read_bytes() == file.read_bytes()

    empty = tmp_path / "empty"
    empty.mkdir()
    Image.new("RGBA", (90, 90)).save(empty / "nothing.png")
    other = rewritten(file, tmp_path / "other.png", (sha256(POLO), sha256(empty / "nothing.png")))
    assert "shows no product" in run("provenance", other, "--remake", tmp_path / "o", "--photos", empty).err


def test_a_background_and_a_swatch_of_ones_own_are_named_by_digest_and_found_again(
    run: Run, tmp_path: Path
) -> None:
    out, again, photos = tmp_path / "out", tmp_path / "again.jpg", tmp_path / "photos"
    photos.mkdir()
    (photos / POLO.name).write_bytes(POLO.read_bytes())
    beach, cloth = photos / "beach.png", photos / "cloth.png"
    Image.linear_gradient("L").save(beach)
    Image.radial_gradient("L").save(cloth)
    own = ("--scene", beach, "--material", cloth)
    words = ("edit", photos / POLO.name, *own, "--size", 150, "--cutter", "grabcut")
    assert run(*words, "--out", out).code == 0
    file = out / "polo-cloth-beach.jpg"
    assert str(tmp_path) not in run("provenance", file).out
    assert "background" in run("provenance", file, "--remake", again, "--photos", POLO.parent).err
    done = run("provenance", file, "--remake", again, "--photos", photos)
    assert done.code == 0, done.err
    assert again.read_bytes() == file.read_bytes()


def test_the_words_of_a_file_do_not_steer_the_terminal() -> None:
    assert printable({"problems": ("\x1b[2J",)}) == {"problems": ["?[2J"]}


@pytest.mark.parametrize("content", [b"", b"GIF89a", POLO.read_bytes()[:300], b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_a_file_that_is_no_picture_gets_one_sentence(run: Run, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    done = run("provenance", tmp_path / "a.jpg")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
