"""Find the files and folders that are ignored when a folder of pictures is read, and the reasons."""

from pathlib import Path

from prodgen.catalog.attributes_table import find_table
from prodgen.catalog.formats import kind, list_pictures
from prodgen.catalog.listing import SPLIT_NAMES, visible_files
from prodgen.catalog.picture_files import EXTENSIONS

_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".xlsx", ".ods", ".parquet")


def left_out(folder: Path) -> dict[str, list[str]]:
    """Return the names of ignored files and folders, by reason.

    Returns {} if ``folder`` is another kind of data set than a folder of pictures.
    """
    if kind(folder) != "folder":
        return {}
    table, listing = find_table(folder), list_pictures(folder)
    used = {picture.file for picture in listing.pictures} | {table.name if table else ""}
    found: dict[str, list[str]] = {}
    for path in visible_files(folder):
        name = str(path.relative_to(folder))
        if name not in used:
            found.setdefault(_reason(path, table), []).append(name)
    if table and "category" not in listing.values:
        folders = {part for picture in listing.pictures for part in Path(picture.file).parts[:-1]}
        if folders := {name for name in folders if name.lower() not in SPLIT_NAMES}:
            found[f"folders, which are no categories without a column category in {table.name}"] = sorted(
                folders
            )
    return found


def _reason(path: Path, table: Path | None) -> str:
    if not path.exists():
        return "links that lead nowhere"
    if path.is_dir():
        return "links to a folder around them"
    if path.suffix.lower() in EXTENSIONS:
        return f"pictures that {table.name} does not list" if table else "pictures outside the layout"
    if path.suffix.lower() in _TABLES:
        return "tables that are not called attributes.csv or attributes.jsonl"
    return "files without the extension of a picture, such as .jpg"
