"""MkDocs hook: fill in the generated parts of pages, and bring files from outside docs/ into the site."""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from references import GENERATED  # this folder is on the path while MkDocs loads the hook

ROOT = Path(__file__).parent.parent
COPIED = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md", "SECURITY.md": "security.md"}

MARK = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)
NO_RUN = re.compile(r"^( *```sh) no-run\b.*$", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the repository's root, the cards of the bundled models and their pictures."""
    pages = {page: _relinked((ROOT / source).read_text()) for source, page in COPIED.items()}
    for card in sorted(ROOT.glob("prodgen/bundled/*/card.md")):
        pages[f"models/{card.parent.name}/card.md"] = card.read_text()
    for page, text in pages.items():
        files.append(File.generated(config, page, content=text))
    for picture in sorted(ROOT.glob("prodgen/bundled/*/*.png")):
        path = f"models/{picture.parent.name}/{picture.name}"
        files.append(File.generated(config, path, abs_src_path=str(picture)))
    return files


def _relinked(text: str) -> str:
    """Return a root page whose links lead to the same pages from inside the site."""
    for source, page in {"docs/": "", **COPIED}.items():
        text = text.replace(f"]({source}", f"]({page}")
    return text


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in generated parts; drop the markers of fenced blocks, which only tests/docs reads."""
    return NO_RUN.sub(r"\1", MARK.sub(lambda mark: GENERATED[mark[1]](), markdown))
