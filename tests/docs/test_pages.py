"""The documentation builds strictly, holds nothing of other hosts, and its commands are ones that exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from prodgen.settings import Settings
from tests.docs.blocks import PAGES, ROOT, Block, blocks_of, name_of
from tests.docs.commands import check, commands

SKIPPED = [b for page in PAGES for b in blocks_of(page) if b.language == "sh" and not b.runs]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built documentation."""
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_pages_load_nothing_from_other_hosts(site: Path) -> None:
    loading = re.compile(r'<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)="(?:https?:)?//[^"]*"')

    found = [(page.name, tag) for page in site.rglob("*.html") for tag in loading.findall(page.read_text())]

    assert found == []


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("cli", ("prodgen up", "prodgen jobs list", "--seed-from")),
        ("http", ("POST /v1/jobs", "GET /readyz", "JobView")),
        ("recipes", ("head_start", "discriminator_lr", "fashion-mnist-r3gan")),
        ("manifest", ("sha256", "truncation")),
        ("order", ("seed_from", "perspective")),
        ("errors", ("invalid_request", "unavailable")),
        ("settings", tuple(f"PRODGEN_{name.upper()}" for name in Settings.model_fields)),
    ],
)
def test_references_are_filled_in_from_the_code(site: Path, page: str, words: tuple[str, ...]) -> None:
    text = (site / "reference" / f"{page}.html").read_text()

    assert [word for word in words if word not in text] == []


def test_links_of_the_root_pages_lead_somewhere() -> None:
    pages = [
        ROOT / name
        for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "deploy/README.md")
    ]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())]

    broken = [link for page, link in links if "://" not in link and not (page.parent / link).exists()]

    assert broken == []


def test_the_tests_that_test_fast_leaves_out_exist() -> None:
    shown = subprocess.run(["make", "-n", "test-fast"], cwd=ROOT, capture_output=True, text=True, check=True)

    ignored = re.findall(r"--ignore=(\S+)", shown.stdout)

    assert ignored
    assert [path for path in ignored if not (ROOT / path).exists()] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@pytest.mark.parametrize("block", SKIPPED, ids=lambda block: block.place)
def test_a_command_that_is_not_run_is_one_that_exists(block: Block) -> None:
    assert block.options.get("reason"), f"{block.place} does not say why it is not run"
    for words in commands(block):
        check(words)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_has_only_blocks_that_tests_understand(page: Path) -> None:
    languages = {block.language for block in blocks_of(page)}

    assert languages <= {"sh", "text", "csv", "json", "python", "toml", "yaml"}
