"""What the commands of a page find: a folder with photographs and a data set, and perhaps a service."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.catalog.photos import BLUE, GREEN, RED, SHEET, WOOD, photo, save
from tests.docs.blocks import blocks_of, name_of, script
from tests.servers.up import SETTINGS, Up, clean_environment
from tests.toys import write_catalogue

Run = Callable[[Path, Up | None], str]

TIMEOUT = 600
"""Seconds for one page, on a machine that is busy with other tests."""


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """``prodgen up`` with one worker of each kind."""
    with Up(tmp_path_factory.mktemp("docs") / "data", workers=1, training_workers=1) as stack:
        yield stack


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder, whose caches all pages share."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def materials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder ``photographs`` of two categories, and a small data set ``fashion-mnist``."""
    folder = tmp_path_factory.mktemp("materials")
    for k in range(30):
        colour, ground = (RED, BLUE, GREEN)[k % 3], (WOOD, SHEET)[k // 3 % 2]
        category, stripe = ("longsleeve", (240, 240, 240)) if k % 2 else ("t-shirt", None)
        picture = photo(colour, ground, seed=k, stripe=stripe)
        save(picture, folder / "photographs" / category / f"{k:02d}.jpg")
    write_catalogue(folder / "fashion-mnist", count=200, size=28)
    return folder


@pytest.fixture
def run_page(tmp_path: Path, home: Path, materials: Path) -> Run:
    """Run all blocks of a page, in order, in an empty folder; return what they print."""

    def run(page: Path, service: Up | None) -> str:
        shutil.copytree(materials, tmp_path, dirs_exist_ok=True)
        for block in blocks_of(page):
            if title := block.options.get("title"):
                (tmp_path / title).write_text(block.text)
        environment = {**clean_environment(), **SETTINGS}
        text = script(page)
        if service:
            (tmp_path / "data").symlink_to(service.data_dir)
            environment |= service.environment
            text = text.replace("http://127.0.0.1:8000", service.url)
        programs = f"{Path(sys.executable).parent}:{environment['PATH']}"
        done = subprocess.run(
            ["bash"],
            input=text,
            cwd=tmp_path,
            env={**environment, "HOME": str(home), "PATH": programs},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, f"{name_of(page)}: {done.stderr[-4000:]}"
        return done.stdout

    return run
