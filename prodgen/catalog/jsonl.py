"""Read and write JSON Lines files about pictures."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from prodgen.catalog.picture_files import printable
from prodgen.errors import ProdgenError


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a line for each row."""
    # ASCII escapes keep file names that are not UTF-8: Python reads them back unchanged.
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="ascii")


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file; raises ProdgenError if it cannot be read."""
    try:
        with path.open(encoding="utf-8") as file:
            return [json.loads(line) for line in file]
    except (ValueError, OSError) as error:
        raise ProdgenError(f"{printable(path)} cannot be read: {error}") from None
