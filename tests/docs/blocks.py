"""The fenced code blocks of the documentation, and how a page's blocks become one script.

A block of `sh` is run, unless its first line says ``no-run reason="…"``. A block with a ``title`` is a file,
which lies in the page's folder when its commands run.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "deploy/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)(?P<info>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S
)
_OPTION = re.compile(r'(\w[\w-]*)="([^"]*)"')


@dataclass(frozen=True)
class Block:
    """One fenced block: where it begins, what its first line says, and its text."""

    page: Path
    line: int
    language: str
    info: str
    text: str

    @property
    def place(self) -> str:
        """Return where the block is, as ``docs/page.md:12``."""
        return f"{name_of(self.page)}:{self.line}"

    @cached_property
    def options(self) -> dict[str, str]:
        """Return the ``name="value"`` pairs of the first line."""
        return dict(_OPTION.findall(self.info))

    @property
    def runs(self) -> bool:
        """Return whether the block's commands are run by the tests."""
        return self.language == "sh" and "no-run" not in self.info.split()


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    text = page.read_text()
    return [
        Block(page, text.count("\n", 0, m.start()) + 1, m["language"], m["info"], dedent(m["text"]))
        for m in _FENCE.finditer(text)
    ]


def name_of(page: Path) -> str:
    """Return a page's path within the repository."""
    return str(page.relative_to(ROOT))


def runs(page: Path) -> bool:
    """Return whether a page has commands that are run."""
    return bool(_commands(page))


def needs_service(page: Path) -> bool:
    """Return whether a page's commands need a running service."""
    return (
        any(mark in _commands(page) for mark in ("PRODGEN_", "data/")) or "(connect.md)" in page.read_text()
    )


def queues_runs(page: Path) -> bool:
    """Return whether a page queues trainings, preparations or evaluations, which take long."""
    return "--queue" in _commands(page)


def _commands(page: Path) -> str:
    return "".join(block.text for block in blocks_of(page) if block.runs)


def script(page: Path) -> str:
    """Return one shell script of a page's blocks, which says on standard error where it is."""
    parts = ["set -euo pipefail", _PLACEHOLDERS]
    for block in blocks_of(page):
        if block.runs:
            text = re.sub(r"\b(JOB|RUN)\b", r"$(newest_\1)", block.text)
            parts.append(f"echo '### {block.place}' >&2\n{text}")
    return "\n".join(parts)


# A refused request fails the page; JOB and RUN are the newest job and run of the service.
_PLACEHOLDERS = """
curl() { command curl --fail-with-body "$@"; }
newest() {
  curl -sS "$PRODGEN_URL/v1/$1?limit=1" -H "Authorization: Bearer $PRODGEN_API_KEY" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["data"][0]["id"])'
}
newest_JOB() { newest jobs; }
newest_RUN() { newest training-jobs; }
"""
