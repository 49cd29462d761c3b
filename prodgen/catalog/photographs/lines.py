"""A file of JSON lines about pictures."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """A line for each row."""
    # ASCII, so that names that are no UTF-8 can be written: Python reads them back as they were.
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="ascii")
