"""The kind of a data set in a folder is recognised."""

import gzip

import numpy as np
import pytest
from PIL import Image

from prodgen.catalog.catalogue import Catalogue, digest
from prodgen.catalog.formats import kind, open_catalogue, splits
from prodgen.catalog.idx import CLASSES, load_idx
from prodgen.errors import NotFound, ProdgenError
from tests.catalog.cifar_files import binary_files, python_files, write_files
from tests.toys import FASHION_MNIST, write_catalogue, write_idx

CLOTHING = FASHION_MNIST.parent / "clothing"


def test_each_kind_is_recognised_by_what_lies_in_it(tmp_path):
    write_catalogue(tmp_path / "idx", count=20)
    write_files(tmp_path / "cifar", binary_files())
    (tmp_path / "shop").mkdir()
    for k in range(2):
        Image.new("RGB", (9, 9)).save(tmp_path / "shop" / f"{k}.png")

    opened = {name: open_catalogue(tmp_path / name) for name in ("idx", "cifar", "shop")}

    assert [kind(tmp_path / name) for name in opened] == ["idx", "cifar-10", "folder"]
    assert opened["idx"].images.shape == (20, 8, 8, 1)
    assert opened["cifar"].images.shape == (20, 32, 32, 3)
    assert opened["shop"].images.shape == (2, 64, 64, 3)
    assert splits(tmp_path / "idx") == splits(tmp_path / "cifar") == ["train", "test"]


@pytest.mark.parametrize("name", ["idx", "cifar", "shop"])
def test_another_size_and_channels_are_honoured(tmp_path, name):
    write_catalogue(tmp_path / "idx", count=20)
    write_files(tmp_path / "cifar", python_files())
    (tmp_path / "shop").mkdir()
    for k in range(20):
        Image.new("L", (9, 9), 128).save(tmp_path / "shop" / f"{k}.png")
    for size, channels in ((16, 1), (40, 3), (32, 4)):
        images = open_catalogue(tmp_path / name, size=size, channels=channels).images
        assert images.shape == (20, size, size, channels)
        if name == "idx" and channels > 1:
            assert np.array_equal(images[..., 0], images[..., 2])
        if channels == 4:
            assert (images[..., 3] == 255).all()


def test_a_bar_stays_where_it_was_when_it_is_resized(tmp_path):
    write_catalogue(tmp_path, count=20)
    small, large = open_catalogue(tmp_path).images, open_catalogue(tmp_path, size=16).images
    assert np.abs(large.reshape(20, 8, 2, 8, 2).mean((2, 4)) - small[..., 0]).mean() < 12


def test_images_that_are_not_square_ask_for_a_size(tmp_path):
    write_catalogue(tmp_path, count=20)
    write_idx(tmp_path / "train-images-idx3-ubyte", np.zeros((20, 16, 12), np.uint8))
    with pytest.raises(ProdgenError, match="holds images of 12x16 pixels; name a size"):
        open_catalogue(tmp_path)
    assert open_catalogue(tmp_path, size=12).images.shape == (20, 12, 12, 1)


@pytest.mark.parametrize("options", [{"size": 0}, {"size": 4}, {"size": 100_000}, {"channels": 2}])
def test_an_impossible_size_is_refused(tmp_path, options):
    write_catalogue(tmp_path)
    [name] = options
    with pytest.raises(ProdgenError, match=f"^{name} ") as refused:
        open_catalogue(tmp_path, **options)
    assert refused.value.param == name


def test_a_missing_split_is_answered_with_those_that_are_there(tmp_path):
    write_catalogue(tmp_path)
    with pytest.raises(NotFound, match="has no split 'validation'; it has train, test"):
        open_catalogue(tmp_path, "validation")
    for path in tmp_path.glob("t10k*"):
        path.unlink()
    with pytest.raises(NotFound, match=r"has no split 'test'; it has train$"):
        open_catalogue(tmp_path, "test")


def test_a_folder_that_is_none_is_one_sentence(tmp_path):
    with pytest.raises(NotFound, match=r"there is no folder .*nowhere"):
        open_catalogue(tmp_path / "nowhere")
    (tmp_path / "file.png").write_bytes(b"")
    with pytest.raises(NotFound, match=r"file\.png is a file; name its folder"):
        open_catalogue(tmp_path / "file.png")


def test_files_of_one_name_are_told_apart(tmp_path):
    def names(folder):
        return open_catalogue(folder).values["category"]

    assert names(write_catalogue(tmp_path / "digits")) == CLASSES["mnist"]
    assert names(write_catalogue(tmp_path / "my-Fashion")) == CLASSES["fashion-mnist"]
    for folder in ("digits", "my-Fashion"):
        (tmp_path / folder / "names.txt").write_text("\n".join(f"kind {k}" for k in range(10)) + "\n\n")
        assert names(tmp_path / folder) == tuple(f"kind {k}" for k in range(10))


def test_names_must_be_enough_and_each_once(tmp_path):
    write_catalogue(tmp_path)
    (tmp_path / "names.txt").write_text("hat\nbag\n")
    with pytest.raises(ProdgenError, match=r"a label 9; names\.txt has only 2 classes"):
        open_catalogue(tmp_path)
    (tmp_path / "names.txt").write_text("hat\nhat\n")
    with pytest.raises(ProdgenError, match="one class name a line, each once"):
        open_catalogue(tmp_path)


def test_a_digest_changes_with_every_thing_that_is_learnt_from():
    def catalogue(pixel=0, label=0, value="a", name="kind", shape=(2, 4, 4, 1)):
        images = np.zeros(shape, np.uint8)
        images.flat[0] = pixel
        return Catalogue(images, {name: np.array([label, 1], np.int64)}, {name: (value, "b")})

    assert digest(catalogue()) == digest(catalogue()) == "b83e04da0db5"
    others = [
        catalogue(pixel=1),
        catalogue(label=-1),
        catalogue(value="c"),
        catalogue(name="sort"),
        catalogue(shape=(2, 2, 8, 1)),
        Catalogue(np.zeros((2, 4, 4, 1), np.uint8), {}, {}),
    ]
    assert len({digest(c) for c in [catalogue(), *others]}) == 7


def test_unknown_labels_neither_count_nor_condition():
    labels = np.array([0, -1, -1, 2, 2, 2], np.int64)
    catalogue = Catalogue(np.zeros((6, 2, 2, 1), np.uint8), {"kind": labels}, {"kind": ("a", "b", "c")})
    assert catalogue.schema().attributes[0].frequencies == (0.25, 0.0, 0.75)
    assert catalogue.conditions()[1].tolist() == [0, 0, 0]
    assert catalogue.conditions()[3].tolist() == [0, 0, 1]
    catalogue.labels["kind"][:] = -1
    with pytest.raises(ProdgenError, match="kind is unknown for all 6 images"):
        catalogue.schema()


def test_the_schema_knows_what_comes_together_and_what_is_not_known():
    labels = {"kind": np.array([0, 0, 1, 1, -1, 0]), "fabric": np.array([1, 1, 0, -1, 0, 0])}
    values = {"kind": ("bag", "hat"), "fabric": ("felt", "silk")}
    schema = Catalogue(np.zeros((6, 2, 2, 1), np.uint8), labels, values).schema()
    pairs = {each.places: each.frequency for each in schema.together}
    assert pairs == {(-1, 0): 1 / 6, (0, 0): 1 / 6, (0, 1): 2 / 6, (1, -1): 1 / 6, (1, 0): 1 / 6}


def test_kinds_of_which_the_rest_is_not_known_are_drawn_as_often_as_they_occur():
    kinds, sleeves = np.arange(1000) % 5, np.full(1000, -1)
    sleeves[kinds == 0] = np.arange(200) % 2
    values = {"kind": tuple("abcde"), "sleeve": ("short", "long")}
    images = np.zeros((1000, 2, 2, 1), np.uint8)
    schema = Catalogue(images, {"kind": kinds, "sleeve": sleeves}, values).schema()
    drawn = schema.resolve([{}] * 2000, [0] * 2000, range(2000))
    assert all(300 < sum(one["kind"] == kind for one in drawn) < 500 for kind in "abcde")


def test_of_too_many_combinations_some_are_kept_at_random():
    labels = {"kind": np.arange(8000) % 5, "brand": np.arange(8000) % 400, "style": np.arange(8000) // 20}
    values = {name: tuple(map(str, range(numbers.max() + 1))) for name, numbers in labels.items()}
    schema = Catalogue(np.zeros((8000, 1, 1, 1), np.uint8), labels, values).schema()
    assert len(schema.together) == 1000
    kinds = np.bincount([each.places[0] for each in schema.together])
    assert kinds.min() > 150


@pytest.mark.skipif(not FASHION_MNIST.is_dir(), reason=f"the data set is not at {FASHION_MNIST}")
def test_fashion_mnist_is_known_by_its_labels_whatever_the_folder(tmp_path):
    labels = (FASHION_MNIST / "t10k-labels-idx1-ubyte.gz").read_bytes()
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(gzip.decompress(labels))
    write_idx(tmp_path / "t10k-images-idx3-ubyte", np.zeros((10_000, 8, 8), np.uint8))
    assert open_catalogue(tmp_path, "test").values["category"] == CLASSES["fashion-mnist"]
    whole = open_catalogue(FASHION_MNIST, "test", size=32)
    assert whole.images.shape == (10_000, 32, 32, 1)
    assert np.array_equal(whole.labels["category"], load_idx(FASHION_MNIST, split="test").labels["category"])


@pytest.mark.skipif(not CLOTHING.is_dir(), reason=f"the photographs are not at {CLOTHING}")
def test_real_photographs_are_read(tmp_path):
    catalogue = open_catalogue(CLOTHING, "test", size=32)
    assert catalogue.images.shape == (372, 32, 32, 3)
    assert dict(zip(catalogue.values["category"], catalogue.counts("category"), strict=True)) == {
        "dress": 15, "hat": 12, "longsleeve": 72, "outwear": 38, "pants": 42, "shirt": 26, "shoes": 73,
        "shorts": 30, "skirt": 12, "t-shirt": 52,
    }  # fmt: skip
    assert 40 < catalogue.images.mean() < 215
    assert (catalogue.images.std((1, 2, 3)) > 5).all()
    assert splits(CLOTHING) == ["train", "validation", "test"]
