"""Only the files that training reads are pushed."""

import re
from pathlib import Path

import pytest

from prodgen.datasets.folder_files import find_files
from prodgen.datasets.summary import summarise
from prodgen.errors import ProdgenError
from tests.datasets.conftest import quiet
from tests.datasets.folders import FILES, KINDS, archive, cifar, fashion, pictures, table


@pytest.mark.parametrize("kind", KINDS)
def test_only_files_that_training_reads_are_pushed(tmp_path: Path, kind: str) -> None:
    assert find_files(KINDS[kind](tmp_path / "source")).keys() == FILES[kind]


def test_the_names_of_classes_are_pushed_with_idx_files(tmp_path: Path) -> None:
    names = find_files(fashion(tmp_path))["names.txt"]
    assert isinstance(names, bytes)
    assert names.decode().splitlines()[:2] == ["t-shirt", "trouser"]


def test_unpacked_cifar_is_preferred_to_its_archive(tmp_path: Path) -> None:
    folder = archive(tmp_path / "source")
    cifar(folder)
    assert find_files(folder).keys() == FILES["cifar"]


def test_a_link_within_the_folder_becomes_a_file_and_one_that_leads_out_is_refused(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "source")
    bag = folder / "train" / "bag"
    (bag / "link.png").symlink_to(bag / "0.png")
    assert "train/bag/link.png" in find_files(folder)
    (tmp_path / "secret.png").write_bytes((bag / "0.png").read_bytes())
    (bag / "out.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(ProdgenError, match=r"out\.png is a link that leads out of the folder"):
        find_files(folder)


def test_a_folder_that_is_itself_a_link_can_be_pushed(tmp_path: Path) -> None:
    pictures(tmp_path / "source")
    (tmp_path / "link").symlink_to(tmp_path / "source")
    assert find_files(tmp_path / "link").keys() == FILES["pictures"]


def test_a_path_that_is_invalid_elsewhere_is_refused(tmp_path: Path) -> None:
    folder = table(tmp_path / "source")
    (folder / "0.png").rename(folder / "a\\b.png")
    (folder / "attributes.csv").write_text("file,colour\na\\b.png,red\n1.png,red\n")
    with pytest.raises(ProdgenError, match="is not a path that a data set can have"):
        find_files(folder)


def test_photographs_that_cannot_be_trained_on_say_why(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "broken")
    (folder / "test" / "bag" / "5.png").write_bytes(b"no picture")
    summary = summarise(folder, quiet)
    assert summary.flaw
    assert re.search(r"1 of the 12 pictures .* cannot be read: test/bag/5.png", summary.flaw)
    assert summary.images == {"train": 12, "test": 12}
    assert summary.attributes["category"].values == {"bag": 6, "schuh größe 40": 6}


def test_a_folder_that_holds_nothing_to_learn_from_is_refused(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "shop")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProdgenError, match="holds no picture"):
        summarise(tmp_path / "empty", quiet)
    (tmp_path / "only" / "test").mkdir(parents=True)
    for k in range(3):
        (folder / "test" / "bag" / f"{k}.png").rename(tmp_path / "only" / "test" / f"{k}.png")
    with pytest.raises(ProdgenError, match="has no split 'train'; it has test"):
        summarise(tmp_path / "only", quiet)
