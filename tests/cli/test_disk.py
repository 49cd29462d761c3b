"""A disk that fails gives a sentence instead of a traceback, and the next try succeeds."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prodgen.catalog.formats import open_catalogue
from prodgen.cli.folders import writing
from prodgen.client import Client
from prodgen.errors import CannotWrite, ProdgenError
from tests.catalog.mirror import serving
from tests.catalog.photos import photo, save
from tests.cli.conftest import Run
from tests.gateway.running import Gateway
from tests.toys import toy_folder, write_catalogue

Refused = Callable[..., str]
Mount = Callable[[str], Path]
GENERATE = ("generate", "fashion-mnist", "--count", 40, "--out")
RECIPE = 'name = "toy"\nfamily = "resnet"\nwidths = [16, 8]\nlatent_dim = 16\nbatch = 16\nsteps = 2\n'


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "cannot write to {out}: No space left on device"),
        (OSError(errno.EDQUOT, "quota", "{out}/1.png"), "cannot write to {out}/1.png: Disk quota exceeded"),
        (OSError(errno.EROFS, "ro", "{out}/1.png"), "cannot write to {out}/1.png: Read-only file system"),
        (FileNotFoundError(errno.ENOENT, "gone", "{out}/1.png"), "{out}/1.png: No such file or directory"),
        (
            OSError(errno.ENOSPC, "full", "/data/a.png", None, "{out}/a.png"),
            "cannot write to {out}/a.png: No ",
        ),
        (RuntimeError("I/O error: full (os error 28)"), "cannot write to {out}: No space left on device"),
    ],
)
def test_a_disk_that_fails_is_named_with_the_reason(tmp_path: Path, error: Exception, sentence: str) -> None:
    out = str(tmp_path / "out")
    if isinstance(error, OSError):
        for name in ("filename", "filename2"):
            if value := getattr(error, name):
                setattr(error, name, value.format(out=out))
    with pytest.raises(CannotWrite) as caught, writing(Path(out)):
        raise error
    assert sentence.format(out=out) in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "gone", "/data/photo.png"),
        ConnectionResetError(errno.ECONNRESET, "x"),
        ValueError("bug"),
    ],
)
def test_other_errors_are_not_blamed_on_the_folder(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, writing(tmp_path / "out"):
        raise error
    assert caught.value is error


def test_a_path_through_a_file_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(ProdgenError, match="cannot write to") as caught, writing(place):
            pass
        assert not isinstance(caught.value, CannotWrite)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Photographs of products on a plain ground."""
    for k in range(3):
        save(photo((200, 30 * k, 30), (120, 90, 60), seed=k), tmp_path / "photos" / "shirt" / f"{k}.jpg")
    return tmp_path / "photos"


@pytest.fixture
def toy(tmp_path: Path) -> tuple[Any, ...]:
    """A training of two steps, without its --out."""
    (tmp_path / "toy.toml").write_text(RECIPE)
    data = write_catalogue(tmp_path / "toys", count=40, size=16)
    return ("train", tmp_path / "toy.toml", "--data", data, "--out")


def test_a_read_only_folder_is_named(
    refused: Refused, read_only: Path, pictures: Path, toy: tuple[Any, ...], tmp_path: Path
) -> None:
    model = toy_folder(tmp_path / "model", size=16, schema=open_catalogue(toy[3]).schema())
    for words in (
        GENERATE,
        toy,
        ("data", "download", "mnist", "--out"),
        ("data", "inspect", pictures, "--out"),
        ("data", "clean", pictures, "--out"),
        ("data", "prepare", pictures, "--size", 16, "--out"),
        ("evaluate", model, "--data", toy[3], "--count", 30, "--out"),
    ):
        for out in (read_only, read_only / "out"):
            sentence = refused(*words, out, code=1)
            assert sentence.startswith(f"cannot write to {read_only}"), (words, sentence)


def test_an_order_that_could_not_be_downloaded_is_not_sent(
    refused: Refused, service: str, gateway: Gateway, read_only: Path
) -> None:
    assert str(read_only) in refused("submit", "--model", "shoes", "--out", read_only / "out", code=1)
    assert gateway.ledger.jobs(service, None, 1) == []


def test_a_full_disk_costs_a_sentence_and_the_next_try_succeeds(
    run: Run, mount: Mount, tmp_path: Path
) -> None:
    disk = mount("size=64k")
    out = disk / "images"

    done = run(*GENERATE, out)

    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[-1] == f"prodgen: cannot write to {out}: No space left on device"
    assert "Traceback" not in done.err
    shutil.copytree(out, tmp_path / "larger")
    assert run(*GENERATE, tmp_path / "larger").code == 0
    assert run("verify", tmp_path / "larger").out == "40 of 40 images verified\n"


def test_a_download_to_a_full_disk_continues_on_a_larger_one(
    run: Run, service: str, gateway: Gateway, mount: Mount, tmp_path: Path
) -> None:
    with Client(gateway.settings.public_url, os.environ["PRODGEN_API_KEY"]) as client:
        job = client.submit({"model": "shoes", "count": 30})["id"]
    gateway.work(service, job)
    disk = mount("size=64k")

    done = run("jobs", "download", job, "--out", disk / "out")

    assert done.code == 1
    assert done.err.splitlines()[-1].startswith(f"prodgen: cannot write to {disk / 'out'}")
    assert done.err.endswith(": No space left on device\n")
    shutil.copytree(disk / "out", tmp_path / "out")
    assert run("jobs", "download", job, "--out", tmp_path / "out").code == 0
    assert len([*(tmp_path / "out").glob("*.png")]) == 30


def test_a_training_on_a_full_disk_continues_when_there_is_room(
    run: Run, mount: Mount, toy: tuple[Any, ...], tmp_path: Path
) -> None:
    disk = mount("size=128k")

    done = run(*toy, disk / "run")

    assert done.code == 1
    assert done.err.splitlines()[-1] == f"prodgen: cannot write to {disk / 'run'}: No space left on device"
    shutil.copytree(disk / "run", tmp_path / "run")
    assert run(*toy, tmp_path / "run").code == 0


def test_data_on_a_full_disk_leaves_nothing_behind(
    run: Run, mount: Mount, pictures: Path, tmp_path: Path
) -> None:
    disk = mount("size=8k")
    for words in (("clean", pictures), ("prepare", pictures, "--size", 16)):
        done = run("data", *words, "--out", disk / "out")
        assert done.code == 1, done
        assert done.err.splitlines()[-1].startswith(f"prodgen: cannot write to {disk}")
        assert [*disk.iterdir()] == []
    small = mount("size=256k")  # for all but the cut-outs
    done = run("data", "prepare", pictures, "--size", 512, "--out", small / "out")
    assert (done.code, done.err.splitlines()[-1].count("No space left on device")) == (1, 1), done
    assert [*small.iterdir()] == []
    full = mount("nr_inodes=2")  # for itself and one file: exact, where a count of bytes is not
    (full / "filler").touch()
    done = run("data", "inspect", pictures, "--out", full / "report")
    assert (done.code, done.err.splitlines()[-1].count("No space left on device")) == (1, 1)


def test_a_public_set_that_does_not_fit_is_named(
    run: Run, mount: Mount, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from prodgen.catalog.download import DATA_SETS, PublicDataSet

    disk = mount("size=16k")
    with serving({"one.gz": bytes(100_000)}) as mirror:
        monkeypatch.setitem(DATA_SETS, "toy", PublicDataSet((mirror.url,), {"one.gz": "0" * 32}))
        done = run("data", "download", "toy", "--out", disk)
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith(f"{disk / 'one.gz'} cannot be written: No space left on device\n")


def test_a_folder_that_vanishes_is_named(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, write = tmp_path / "out", Path.write_bytes

    def vanish(path: Path, data: bytes) -> int:
        shutil.rmtree(out, ignore_errors=True)
        return write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", vanish)
        done = run(*GENERATE, out)
    assert done.code == 1
    sentence = f"prodgen: cannot write to {out / '000000000.png'}: No such file or directory"
    assert done.err.splitlines()[-1] == sentence
    assert run(*GENERATE, out).code == 0
