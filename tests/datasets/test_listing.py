"""A list of files with invalid paths or contradictions is refused."""

import json

import pytest

from prodgen.datasets import listing
from prodgen.datasets.listing import CHUNK, read_listing, write_listing
from prodgen.errors import ProdgenError

SHA = "0" * 64


def lines(*paths: str) -> bytes:
    """Return a list of files of one byte each."""
    return b"".join(
        json.dumps({"path": path, "bytes": 1, "chunks": [SHA]}).encode() + b"\n" for path in paths
    )


def test_a_list_is_read_as_it_was_written() -> None:
    files = read_listing(lines("b/2.png", "a.csv", "b/é größe 40.png"))
    assert [file.path for file in files] == ["a.csv", "b/2.png", "b/é größe 40.png"]
    assert read_listing(write_listing(files[::-1])) == files


@pytest.mark.parametrize(
    "path",
    [
        "", "/etc/passwd", "..", "../a", "a/../b", "./a", "a/./b", "a//b", "a/", ".a", "a/.b", "a\\b", "a\0b",
        "a\nb", "a\u202eb", "\ud800", "a" * 256, "a/" * 256 + "a",
    ],
)  # fmt: skip
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ProdgenError, match="line 2 of the list of files: "):
        read_listing(lines("fine", path))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "the list of files is empty"),
        (b"{", "line 1 of the list of files: it is not JSON"),
        (b"[]", "line 1 of the list of files: it must be an object"),
        (b'{"path": "a", "bytes": 1}', "line 1 of the list of files: chunks is missing"),
        (b'{"path": "a", "bytes": -1, "chunks": []}', "bytes must be at least 0, not -1"),
        (b'{"path": "a", "bytes": 1, "chunks": ["A"]}', "line 1 of the list of files: chunks.1"),
        (b'{"path": "a", "bytes": 1, "chunks": [], "mode": 1}', "there is no field mode"),
        (b'{"path": "a", "bytes": 1, "chunks": []}', "a has 1 bytes in 0 chunks"),
        (lines("a", "a"), "line 2 of the list of files: a is there twice"),
        (lines("a/b/c", "a-b", "a/b"), "a/b is both a file and a folder"),
    ],
)
def test_a_broken_list_is_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(ProdgenError) as caught:
        read_listing(data)
    assert sentence in str(caught.value)


def test_a_data_set_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MAX_FILES", 2)
    with pytest.raises(ProdgenError, match="the list has 3 files; a data set has at most 2"):
        read_listing(lines("a", "b", "c"))
    monkeypatch.setattr(listing, "MAX_BYTES", CHUNK)
    full = json.dumps({"path": "a", "bytes": CHUNK, "chunks": [SHA]}).encode()
    with pytest.raises(ProdgenError, match="a data set has at most"):
        read_listing(full + b"\n" + lines("b"))


def test_chunks_follow_each_other() -> None:
    (file,) = read_listing(json.dumps({"path": "a", "bytes": CHUNK + 5, "chunks": [SHA, "1" * 64]}).encode())
    assert [*file.iter_chunks()] == [(SHA, 0, CHUNK), ("1" * 64, CHUNK, 5)]
