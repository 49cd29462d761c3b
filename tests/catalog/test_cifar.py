"""CIFAR-10 is read with the right colours and names, and a hostile file does no harm."""

import os
import pickle
import tarfile

import numpy as np
import pytest

from prodgen.catalog.cifar import cifar_splits, load_cifar
from prodgen.catalog.cifar_pickle import read_batch
from prodgen.errors import NotFound, ProdgenError
from tests.catalog.cifar_files import (
    NAMES,
    batch,
    binary_files,
    expected,
    pickled,
    python_files,
    write_archive,
    write_files,
)

VERSIONS = {
    "binary": (binary_files, "cifar-10-batches-bin", "cifar-10-binary.tar.gz"),
    "python": (python_files, "cifar-10-batches-py", "cifar-10-python.tar.gz"),
}


@pytest.mark.parametrize("lying", ["here", "in its folder", "packed"])
@pytest.mark.parametrize("version", VERSIONS)
def test_both_versions_give_the_same_pictures_and_names(tmp_path, version, lying):
    files, folder, archive = VERSIONS[version]
    if lying == "packed":
        write_archive(tmp_path / archive, folder, files())
    else:
        write_files(tmp_path / folder if lying == "in its folder" else tmp_path, files())

    train, test = load_cifar(tmp_path), load_cifar(tmp_path, "test")

    assert np.array_equal(train.images, np.concatenate([expected(k) for k in range(5)]))
    assert train.labels["category"].tolist() == [int(n) for k in range(5) for n in batch(k)[1]]
    assert np.array_equal(test.images, expected(5))
    assert train.images.dtype == np.uint8
    assert train.values == test.values == {"category": NAMES}
    assert cifar_splits(tmp_path) == ["train", "test"]
    assert sorted(p.name for p in tmp_path.iterdir()) in ([archive], [folder], sorted(files()))


def test_the_toy_is_a_pickle_that_numpy_itself_can_read():
    content = pickle.loads(python_files()["test_batch"], encoding="bytes")
    assert np.array_equal(content[b"data"], batch(5)[0])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_missing_batch_is_named(tmp_path, version):
    files = VERSIONS[version][0]()
    [gone] = [name for name in files if name.startswith("data_batch_3")]
    del files[gone]
    write_files(tmp_path, files)
    with pytest.raises(NotFound, match=f"is not whole: it has no {gone}"):
        load_cifar(tmp_path)
    assert len(load_cifar(tmp_path, "test")) == 4


def test_a_folder_without_it_says_what_it_should_have(tmp_path):
    assert cifar_splits(tmp_path) == []
    with pytest.raises(NotFound, match=r"it should have cifar-10-binary\.tar\.gz or cifar-10-python"):
        load_cifar(tmp_path)


def test_names_need_not_be_there_but_must_be_enough(tmp_path):
    files = binary_files()
    del files["batches.meta.txt"]
    assert load_cifar(write_files(tmp_path / "none", files)).values == {"category": NAMES}
    files["batches.meta.txt"] = b"cat\ndog\n"
    with pytest.raises(ProdgenError, match="a label 7, but names for only 2 classes"):
        load_cifar(write_files(tmp_path / "few", files))


@pytest.mark.parametrize("damage", [lambda raw: raw[:-1], lambda raw: b""])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_batch_that_is_cut_short_is_one_sentence(tmp_path, version, damage):
    files = VERSIONS[version][0]()
    name = next(name for name in files if name.startswith("test_batch"))
    files[name] = damage(files[name])
    write_files(tmp_path, files)
    with pytest.raises(ProdgenError, match=f"{name} is not (a )?whole"):
        load_cifar(tmp_path, "test")


class Intruder:
    """Creates the folder ``mark`` when it is unpickled by pickle itself."""

    def __init__(self, mark: object) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["test_batch", "batches.meta"])
def test_a_hostile_pickle_is_refused_and_nothing_of_it_runs(tmp_path, name, packed):
    mark = tmp_path / "was-here"
    files = python_files() | {name: pickle.dumps({"data": Intruder(mark)}, protocol=2)}
    if packed:
        write_archive(tmp_path / "cifar-10-python.tar.gz", "cifar-10-batches-py", files)
    else:
        write_files(tmp_path, files)

    with pytest.raises(ProdgenError, match=r"refused, and none of its code was run: it names posix\.mkdir"):
        load_cifar(tmp_path, "test")

    assert not mark.exists()
    pickle.loads(files[name])
    assert mark.exists()  # the pickle is hostile indeed


@pytest.mark.parametrize(
    "program",
    [
        b"cbuiltins\neval\n(U\x03pasttR.",
        b"cnumpy\nload\n.",
        b"cnumpy.core.multiarray\nscalar\n.",
        b"cnumpy\nndarray\nK\x00\x85R.",  # the name is allowed, but calling it is not
        b"cnumpy.core.multiarray\n_reconstruct\n}U\x01xK\x01sb.",
        b"\x82\x01.",
        b"U\x01xQ.",
        b"K\x01r\xff\xff\xff\x7f.",  # a memo index that would take all memory
    ],
)
def test_no_other_name_of_a_pickle_is_heeded(program):
    with pytest.raises(ProdgenError, match="the file"):
        read_batch(b"\x80\x02" + program, "the file")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "it should hold a dictionary"),
        ({}, "images of 3,072 bytes and labels"),
        ({b"data": b"x" * 3072, b"labels": [1]}, "images of 3,072 bytes and labels"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]}, "images of 3,072 bytes and labels"),
        ({b"data": np.zeros((2, 100), np.uint8), b"labels": [1, 2]}, "images of 3,072 bytes and labels"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [b"cat"]}, "whole numbers from 0 to 255"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [-1]}, "whole numbers from 0 to 255"),
    ],
)
def test_a_pickle_of_something_else_is_one_sentence(content, words):
    with pytest.raises(ProdgenError, match=words):
        read_batch(pickled(content), "the file")


def test_an_array_that_promises_more_than_it_has_is_refused():
    raw = pickled({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, 2]})
    promise = raw.replace(b"J" + (2).to_bytes(4, "little") + b"J\x00\x0c", b"J\xff\xff\xff\x7fJ\x00\x0c")
    assert promise != raw
    with pytest.raises(ProdgenError, match="images of 3,072 bytes"):
        read_batch(promise, "the file")


def test_a_broken_archive_is_one_sentence(tmp_path):
    path = tmp_path / "cifar-10-binary.tar.gz"
    write_archive(path, "cifar-10-batches-bin", binary_files())
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"no archive", b"", whole[:200] + b"\0" * 50 + whole[250:]):
        path.write_bytes(damaged)
        with pytest.raises(ProdgenError, match=r"not a whole archive|is not whole"):
            load_cifar(tmp_path)


def test_an_archive_cannot_fill_the_memory_or_name_other_files(tmp_path, monkeypatch):
    monkeypatch.setattr("prodgen.catalog.cifar.MAX_BYTES", 20_000)
    path = tmp_path / "cifar-10-binary.tar.gz"
    write_archive(path, "cifar-10-batches-bin", binary_files() | {"padding": b"\0" * 20_001})
    assert len(load_cifar(tmp_path)) == 20  # the padding comes after the last batch
    write_archive(path, "cifar-10-batches-bin", {"padding": b"\0" * 20_001} | binary_files())
    with pytest.raises(ProdgenError, match=r"padding has 20,001 bytes; no file of CIFAR-10 has more"):
        load_cifar(tmp_path)

    (tmp_path / "secret").write_bytes(b"\0" * 3073)
    with tarfile.open(path, "w:gz") as tar:
        link = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        tar.addfile(link)
    with pytest.raises(NotFound, match=r"it has no test_batch\.bin"):
        load_cifar(tmp_path, "test")
