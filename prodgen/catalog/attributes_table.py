"""Read attributes.csv and attributes.jsonl: tables of pictures with their splits and attributes."""

import csv
import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from prodgen.catalog.listing import SPLIT_NAMES, SPLITS, Listing, Picture
from prodgen.catalog.picture_files import first_names, printable
from prodgen.errors import NotFound, ProdgenError
from prodgen.spec.spelling import normalise

TABLES = ("attributes.csv", "attributes.jsonl")

Row = tuple[str, dict[str, str]]
"""The row's position for error messages (``row 7``) and its cells by column name; "" for an empty cell."""


def find_table(folder: Path) -> Path | None:
    """Return the path of the folder's attributes table, or None; raises ProdgenError for two tables.

    Capital letters in the file name of a table make no difference.
    """
    there = sorted(path for path in folder.iterdir() if path.name.lower() in TABLES and path.is_file())
    if len(there) > 1:
        raise ProdgenError(f"{printable(folder)} has both {there[0].name} and {there[1].name}; keep one")
    return there[0] if there else None


def list_table(table: Path) -> Listing:
    """List the pictures that an attributes table names; other pictures of the folder are left out.

    The column ``file`` is the path within the table's folder. The column ``split`` is one of SPLITS; by
    default it is the split that the path begins with, or else ``train`` if another row has a split. Every
    other column with at least one value is an attribute. Raises ProdgenError that names the invalid row.
    """
    pictures, seen = [], dict[str, str]()
    for where, cells in _rows(table):
        picture = _picture(table, where, cells)
        if picture.file in seen:
            raise ProdgenError(
                f"{table.name} names {picture.file} twice, in {seen[picture.file]} and {where}"
            )
        seen[picture.file] = where
        pictures.append(picture)
    if not pictures:
        raise NotFound(f"{printable(table)} names no picture; it should have a row for each")
    missing = [file for file in seen if not (table.parent / file).is_file()]
    if missing:
        raise NotFound(
            f"{len(missing)} of the {len(pictures)} pictures that {table.name} names are not in "
            f"{printable(table.parent)}: {first_names(missing)}"
        )
    if any(picture.split for picture in pictures):
        pictures = [picture._replace(split=picture.split or "train") for picture in pictures]
    names = dict.fromkeys(name for picture in pictures for name in picture.known)
    values = {n: tuple(sorted({p.known[n] for p in pictures if n in p.known})) for n in names}
    return Listing(pictures, values)


def _picture(table: Path, where: str, cells: dict[str, str]) -> Picture:
    name = cells.get("file", "")
    path = PurePosixPath(name)
    if not path.parts or "\0" in name or path.is_absolute() or ".." in path.parts:
        raise ProdgenError(
            f"{where} of {table.name} names the file {name!r}; it should be a path within the folder, "
            "for instance shoes/1.jpg"
        )
    written = cells.get("split") or (path.parts[0] if path.parts[0].lower() in SPLIT_NAMES else "")
    split = SPLIT_NAMES.get(written.lower(), "")
    if written and not split:
        raise ProdgenError(
            f"{where} of {table.name} has the split {written!r}; there are {', '.join(SPLITS)}"
        )
    known = {n: cell for n, cell in cells.items() if cell and n not in ("file", "split")}
    # Some file systems decompose the accents of a name, others compose them.
    forms = (str(path), *(unicodedata.normalize(form, str(path)) for form in ("NFC", "NFD")))
    file = next((form for form in forms if (table.parent / form).is_file()), forms[0])
    return Picture(file, split, known)


def _rows(table: Path) -> Iterator[Row]:
    read = _csv_rows if table.suffix.lower() == ".csv" else _jsonl_rows
    try:
        yield from read(table)
    except UnicodeDecodeError:
        raise ProdgenError(f"{printable(table)} is not UTF-8; save it as UTF-8") from None
    except csv.Error as error:
        raise ProdgenError(f"{printable(table)} is not a CSV file: {error}") from None


def _csv_rows(table: Path) -> Iterator[Row]:
    with table.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        header = [normalise(name) for name in next(reader, [])]
        if "file" not in header or not all(header) or len(set(header)) < len(header):
            raise ProdgenError(
                f"{table.name} begins with the columns {', '.join(header) or '(none)'}; it should have one "
                "called file and one for each attribute, separated by commas, each with a name of its own"
            )
        for row in filter(None, reader):
            where = f"row {reader.line_num}"
            if len(row) != len(header):
                raise ProdgenError(
                    f"{where} of {table.name} has {len(row)} cells; it should have {len(header)}"
                )
            yield where, {n: _text(n, cell) for n, cell in zip(header, row, strict=True)}


def _jsonl_rows(table: Path) -> Iterator[Row]:
    with table.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict) or any(
                not n.strip() or isinstance(c, list | dict) for n, c in row.items()
            ):
                raise ProdgenError(
                    f"row {number} of {table.name} should be a JSON object of texts and numbers, "
                    'for instance {"file": "1.jpg", "colour": "red"}'
                )
            texts = {
                n: "" if c is None else c if isinstance(c, str) else json.dumps(c) for n, c in row.items()
            }
            yield f"row {number}", {normalise(n): _text(normalise(n), cell) for n, cell in texts.items()}


def _text(name: str, cell: str) -> str:
    return cell if name == "file" else normalise(cell)
