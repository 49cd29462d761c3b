"""Mistakes are named before pictures are read, and files are named only if they exist."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.catalog.photos import photo, save
from tests.cli.conftest import Run
from tests.servers.up import clean_environment, run_prodgen


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Photographs of products on a plain ground."""
    for k in range(3):
        save(photo((200, 30 * k, 30), (120, 90, 60), seed=k), tmp_path / "photos" / "shirt" / f"{k}.jpg")
    return tmp_path / "photos"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("clean", "--out", "{there}"), "is there already"),
        (("clean", "--out", "{photos}/clean"), "lies within"),
        (("clean", "--out", "{new}", "--drop", "nonsense"), "nonsense"),
        (("prepare", "--out", "{there}"), "is there already"),
        (("prepare", "--out", "{photos}/cut"), "lies within"),
    ],
)
def test_mistakes_are_named_before_the_pictures_are_read(
    refused: Callable[..., str],
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    sentence: str,
) -> None:
    for module in ("inspection.inspect", "prepare.prepare"):
        monkeypatch.setattr(f"prodgen.catalog.photographs.{module}", lambda *_: pytest.fail("it was read"))
    there = tmp_path / "there"
    there.mkdir()
    (there / "file").touch()
    command, *options = (word.format(there=there, photos=pictures, new=tmp_path / "new") for word in words)
    assert sentence in refused("data", command, pictures, *options)
    assert not (tmp_path / "new").exists()


def test_only_files_that_are_there_are_named(run: Run, pictures: Path, tmp_path: Path) -> None:
    done = run("data", "prepare", pictures, "--size", 16, "--out", tmp_path / "cut")
    assert done.err.splitlines()[-1] == f"look at {tmp_path / 'cut'}/preview.png"
    assert not (tmp_path / "cut" / "set-aside.png").exists()

    save(photo((120, 90, 60), (120, 90, 60), seed=9), pictures / "shirt" / "nothing.jpg")
    done = run("data", "prepare", pictures, "--size", 16, "--out", tmp_path / "other")
    sheets = (tmp_path / "other" / "preview.png", tmp_path / "other" / "set-aside.png")
    assert done.err.splitlines()[-1] == f"look at {sheets[0]} and {sheets[1]}"
    assert all(sheet.exists() for sheet in sheets)

    done = run("data", "clean", pictures, "--out", tmp_path / "clean", "--drop", "small")
    assert "dropped.jsonl" not in done.err or (tmp_path / "clean" / "dropped.jsonl").stat().st_size


def test_a_warning_of_a_library_names_the_file_that_it_is_about(pictures: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    cut = exif.tobytes()[:-12]
    shirt = Image.open(pictures / "shirt" / "0.jpg")
    shirt.save(pictures / "shirt" / "cut.jpg", exif=cut)
    shirt.quantize(8).save(pictures / "shirt" / "palette.png", transparency=bytes([0, 128, *[255] * 6]))
    Image.new("1", (9500, 9500)).save(pictures / "shirt" / "large.png")
    for k in range(40):  # so many pictures are read in other processes
        shutil.copy(pictures / "shirt" / "1.jpg", pictures / "shirt" / f"again-{k}.jpg")

    for words in (("data", "show", "photos"), ("data", "inspect", "photos", "--out", "report")):
        done = run_prodgen(*words, folder=pictures.parent, environment=clean_environment())
        assert done.returncode == 0, done.stderr
        [warning] = [line for line in done.stderr.splitlines() if "all of it" not in line]
        assert warning.startswith("photos/shirt/cut.jpg: ")
