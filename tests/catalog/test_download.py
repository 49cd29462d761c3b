"""A download that broke off continues, and a broken file is not used."""

import hashlib
import os
from collections.abc import Iterator

import numpy as np
import pytest

from prodgen.catalog.download import DATA_SETS, PublicDataSet, download
from prodgen.errors import NotFound, ProdgenError, Unavailable
from tests.catalog.mirror import Mirror, serving
from tests.toys import FASHION_MNIST

BIG = np.random.default_rng(0).bytes(300_000)
FILES = {"big.gz": BIG, "small.gz": b"small"}
MD5 = {name: hashlib.md5(content).hexdigest() for name, content in FILES.items()}


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """Serve the only mirror of the data set "toy"."""
    with serving(dict(FILES)) as running:
        monkeypatch.setitem(DATA_SETS, "toy", PublicDataSet((running.url,), MD5))
        yield running


def is_whole(folder) -> bool:
    return {path.name: path.read_bytes() for path in folder.iterdir()} == FILES


def test_every_file_comes_whole_and_progress_is_reported(tmp_path, mirror):
    calls = []
    files = download("toy", tmp_path / "new" / "folder", lambda *call: calls.append(call))
    assert [path.name for path in files] == list(FILES)
    assert is_whole(tmp_path / "new" / "folder")
    assert calls[-1] == ("small.gz", 5, 5)
    done = [bytes_done for name, bytes_done, total in calls if name == "big.gz" and total == len(BIG)]
    assert done == sorted(done)
    assert done[-1] == len(BIG)


def test_what_is_whole_is_not_fetched_again(tmp_path, mirror):
    download("toy", tmp_path)
    (tmp_path / "small.gz").write_bytes(b"smell")
    mirror.asked.clear()
    download("toy", tmp_path)
    assert mirror.asked == [("small.gz", 0)]
    assert is_whole(tmp_path)


def test_a_broken_connection_is_taken_up_where_it_broke(tmp_path, mirror):
    mirror.breaks = [100_000, 50_000, 10, 10, 10]
    download("toy", tmp_path)
    starts = [first for name, first in mirror.asked if name == "big.gz"]
    assert starts == [0, 100_000, 150_000, 150_010, 150_020, 150_030]
    assert is_whole(tmp_path)


def test_a_later_call_takes_up_what_an_earlier_one_left(tmp_path, mirror):
    mirror.breaks = [1000, 0, 0, 0]
    with pytest.raises(Unavailable, match=r"big\.gz cannot be downloaded from 127\.0\.0\.1:\d+: .*kept"):
        download("toy", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["big.gz.partial"]
    download("toy", tmp_path)
    assert mirror.asked[4] == ("big.gz", 1000)
    assert is_whole(tmp_path)


@pytest.mark.parametrize("left", [b"rubbish", BIG + b"more", BIG[:10] + b"x" + BIG[11:], BIG])
def test_a_wrong_remainder_does_no_harm(tmp_path, mirror, left):
    (tmp_path / "big.gz.partial").write_bytes(left)
    download("toy", tmp_path)
    assert is_whole(tmp_path)


def test_a_server_without_ranges_or_lengths_will_do(tmp_path, mirror):
    mirror.knows_ranges = mirror.tells_length = False
    (tmp_path / "big.gz.partial").write_bytes(BIG[:1000])
    totals = set()
    download("toy", tmp_path, lambda file, done, total: totals.add(total))
    assert totals == {None}
    assert is_whole(tmp_path)


def test_another_mirror_is_asked_when_one_fails(tmp_path, mirror, monkeypatch):
    with serving({"big.gz": b"another file"}) as poor:
        monkeypatch.setitem(
            DATA_SETS, "toy", PublicDataSet(("http://127.0.0.1:9/", poor.url, mirror.url), MD5)
        )
        download("toy", tmp_path)
        assert poor.asked == [("big.gz", 0), ("small.gz", 0)]
    assert is_whole(tmp_path)


def test_a_file_with_another_checksum_is_never_left_in_place(tmp_path, mirror):
    mirror.files["big.gz"] = b"another file"
    came = hashlib.md5(b"another file").hexdigest()
    with pytest.raises(
        ProdgenError,
        match=rf"big\.gz came from 127.0.0.1:\d+ with the MD5 {came}; it should be {MD5['big.gz']}",
    ):
        download("toy", tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_no_network_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(DATA_SETS, "toy", PublicDataSet(("http://127.0.0.1:9/",), MD5))
    with pytest.raises(
        Unavailable, match=r"big\.gz cannot be downloaded from 127\.0\.0\.1:9: .*refused; what was"
    ):
        download("toy", tmp_path)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path, mirror):
    del mirror.files["small.gz"]
    with pytest.raises(
        Unavailable, match=r"small\.gz cannot be downloaded .* it answers 404; what was received"
    ):
        download("toy", tmp_path)


def test_a_server_that_never_ends_cannot_fill_the_disk(tmp_path, mirror, monkeypatch):
    monkeypatch.setattr("prodgen.catalog.download.MAX_BYTES", 200_000)
    with pytest.raises(Unavailable, match="sends more than 200,000 bytes"):
        download("toy", tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path, mirror):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProdgenError, match=r"big\.gz cannot be written: (Not a directory|File exists)"):
        download("toy", tmp_path / "file")


def test_an_unknown_set_is_answered_with_those_there_are(tmp_path):
    with pytest.raises(
        NotFound, match="no public data set 'imagenet'; there are mnist, fashion-mnist, cifar-10"
    ):
        download("imagenet", tmp_path)


@pytest.mark.skipif(not FASHION_MNIST.is_dir(), reason=f"the data set is not at {FASHION_MNIST}")
def test_the_checksums_are_those_of_the_real_labels():
    for name in ("train-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        content = (FASHION_MNIST / name).read_bytes()
        assert hashlib.md5(content).hexdigest() == DATA_SETS["fashion-mnist"].files[name]


@pytest.mark.skipif("PRODGEN_TEST_NETWORK" not in os.environ, reason="PRODGEN_TEST_NETWORK is not set")
@pytest.mark.parametrize("name", DATA_SETS)
@pytest.mark.timeout(1800)
def test_the_real_mirrors_have_the_real_files(tmp_path, name, monkeypatch):
    for mirror in DATA_SETS[name].mirrors:
        monkeypatch.setitem(DATA_SETS, name, DATA_SETS[name]._replace(mirrors=(mirror,)))
        download(name, tmp_path / mirror.split("/")[2])
