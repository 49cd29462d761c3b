"""IDX files are read right, or refused."""

import gzip

import numpy as np
import pytest

from prodgen.catalog.catalogue import Catalogue
from prodgen.catalog.idx import CLASSES, load_idx, read_idx
from prodgen.errors import NotFound, ProdgenError
from tests.toys import FASHION_MNIST, write_catalogue, write_idx

ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_an_array_comes_back_as_it_was_written(tmp_path, name):
    write_idx(tmp_path / name, ARRAY)
    read = read_idx(tmp_path / name)
    assert np.array_equal(read, ARRAY)
    read[0] = 0  # the array is a writable copy


def whole(tmp_path) -> bytes:
    write_idx(tmp_path / "sound", ARRAY)
    return (tmp_path / "sound").read_bytes()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda raw: b"", "not an IDX file of bytes"),
        (lambda raw: b"\x89PNG\r\n", "not an IDX file of bytes: it begins with 89 50 4e 47"),
        (lambda raw: raw[:2] + b"\x0d" + raw[3:], "not an IDX file of bytes"),
        (lambda raw: raw[:6], "cut short: its header promises 3 dimensions"),
        (lambda raw: raw[:-1], r"not whole: 23 bytes where its header promises \(2, 3, 4\)"),
        (lambda raw: raw + b"x", "not whole: 25 bytes"),
        (lambda raw: raw[:4] + b"\xff" * 12 + raw[16:], "not whole"),
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path, damage, words):
    path = tmp_path / "images"
    path.write_bytes(damage(whole(tmp_path)))
    with pytest.raises(ProdgenError, match=words) as refused:
        read_idx(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    "damage", [lambda z: z[:-9], lambda z: z[:20] + b"\x00\xff" + z[22:], lambda z: b"no gzip", lambda z: b""]
)
def test_a_broken_archive_is_one_sentence(tmp_path, damage):
    path = tmp_path / "images.gz"
    path.write_bytes(damage(gzip.compress(whole(tmp_path))))
    with pytest.raises(ProdgenError):
        read_idx(path)


def test_a_folder_gives_its_split_with_named_classes(tmp_path):
    catalogue = load_idx(write_catalogue(tmp_path, count=20), "mnist", "test")
    assert catalogue.images.shape == (20, 8, 8, 1)
    assert catalogue.labels["category"].tolist() == [k % 10 for k in range(20)]
    assert catalogue.values == {"category": CLASSES["mnist"]}
    assert len(catalogue) == 20


def test_a_folder_without_the_files_says_which_are_missing(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(
            NotFound, match=r"has no train-images-idx3-ubyte or .*\.gz; it should hold the four"
        ):
            load_idx(folder)


def test_images_and_labels_must_match(tmp_path):
    write_catalogue(tmp_path, count=20)
    labels = tmp_path / "train-labels-idx1-ubyte.gz"
    write_idx(labels, np.zeros(19, np.uint8))
    with pytest.raises(ProdgenError, match="20 images but 19 labels"):
        load_idx(tmp_path)
    write_idx(labels, np.full(20, 10, np.uint8))
    with pytest.raises(ProdgenError, match="a label 10; fashion-mnist has only 10 classes"):
        load_idx(tmp_path)
    write_idx(labels, np.zeros((20, 1), np.uint8))
    with pytest.raises(ProdgenError, match="images of 2 dimensions and labels of 1"):
        load_idx(tmp_path)


def test_the_schema_knows_how_often_each_class_occurs():
    labels = np.array([0, 0, 0, 2], np.int64)
    catalogue = Catalogue(np.zeros((4, 2, 2, 1), np.uint8), {"kind": labels}, {"kind": ("a", "b", "c")})
    [choice] = catalogue.schema().attributes
    assert (choice.name, choice.values, choice.frequencies) == ("kind", ("a", "b", "c"), (0.75, 0.0, 0.25))
    assert catalogue.conditions().tolist() == [[1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 0, 1]]


@pytest.mark.skipif(not FASHION_MNIST.is_dir(), reason=f"the data set is not at {FASHION_MNIST}")
@pytest.mark.parametrize(("split", "count"), [("train", 60_000), ("test", 10_000)])
def test_fashion_mnist_is_read_right(split, count):
    catalogue = load_idx(FASHION_MNIST, split=split)
    assert catalogue.images.shape == (count, 28, 28, 1)
    assert np.bincount(catalogue.labels["category"]).tolist() == [count // 10] * 10
    assert set(catalogue.schema().attributes[0].frequencies) == {0.1}
    means = [catalogue.images[catalogue.labels["category"] == k].mean() for k in range(10)]
    names = catalogue.values["category"]
    assert names[int(np.argmin(means))] == "sandal"
    assert names[int(np.argmax(means))] in ("pullover", "coat")
    assert (catalogue.images[:, 0, 0] == 0).mean() > 0.9  # the background is black
