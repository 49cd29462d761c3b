"""Read the rows of an order's CSV: find the header and its columns, and the cells of each row."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain, islice
from typing import Any, NamedTuple

from prodgen.errors import ProdgenError
from prodgen.spec.spelling import did_you_mean, fold, normalise, split_values

Fields = dict[str, Any]
Row = tuple[int, Callable[[], Fields]]
"""The number of a row, and a function that returns its fields. It raises ProdgenError for a faulty row."""
NAMED = ("sku", "count", "photo", "matte")
"""The columns that are not attributes."""

_DELIMITERS = (",", ";", "\t")
_HEADER_ROWS = 10
"""How many rows are searched for the header: templates of shops have other rows before the header."""
_OF_VARIANT = ("variant ", "option")
"""Columns of Shopify's export that begin with these words describe a variant. The other columns have text
only in the row of a product's first variant."""


class _Header(NamedTuple):
    """The header of a CSV. ``texts``: the text of each column. ``places``: a column's number, by its name."""

    texts: list[str]
    places: dict[str, int]


def csv_rows(
    text: Iterable[str],
    lines: list[str],
    attributes: list[str],
    columns: Mapping[str, str] | None,
    *,
    any_attribute: bool,
) -> Iterator[Row]:
    """Yield the rows of a CSV: of ``lines``, then of ``text``. The fields of a row are its filled cells.

    ``columns`` maps each name (of `NAMED`, or an attribute) to a column of the file. Other columns are
    skipped, and rows in which all these cells are empty. Without ``columns``, each column must be named like
    this: raises ProdgenError for a filled cell in another column, unless ``any_attribute`` is set.
    """
    rows = _cells(_reader(text, lines))
    header = _own_header(rows, attributes) if columns is None else _header(rows, attributes, columns)
    others = [] if any_attribute else [name for name in header.places if name not in (*attributes, *NAMED)]
    product: list[str] = []
    for number, cells in rows:
        if columns is None:
            _check_names(number, header, cells, attributes, others)
            yield number, partial(_all_fields, number, header, cells)
        elif any(cells[place] for place in header.places.values() if place < len(cells)):
            product = _fill_variant(header, product, cells)
            yield number, partial(_fields, number, header, cells)


def csv_head(lines: list[str]) -> list[list[str]]:
    """Return the probable header of a CSV, and some rows after it.

    The probable header is the row with the most filled cells among the first rows.
    """
    rows = [cells for _, cells in islice(_cells(_reader(lines[1:], lines[:1])), 2 * _HEADER_ROWS)]
    fullest = max(range(len(rows[:_HEADER_ROWS])), key=lambda place: sum(map(bool, rows[place])), default=0)
    return rows[fullest:]


def fields_of(row: Fields, attributes: Fields) -> Fields:
    """Return the value of each name in `NAMED`, and under "attributes" all attributes that are not null.

    All other fields of ``row`` are attributes, and so are ``attributes``. An attribute of a model may have a
    name in `NAMED`: then it must be in ``attributes``.
    """
    named = {name: row.pop(name, None) for name in NAMED}
    known = {name: value for name, value in {**row, **attributes}.items() if value is not None}
    return {**named, "attributes": known}


def check_columns(columns: Mapping[str, str], attributes: Iterable[str]) -> dict[str, str]:
    """Return ``columns`` with the names in the model's spelling, and with ``sku`` if it is not there.

    Raises ProdgenError for an unknown name.
    """
    known = {fold(name): name for name in (*attributes, *NAMED)}
    for name in columns:
        if fold(name) not in known:
            raise ProdgenError(
                f"columns: this model has no attribute {name!r}; there are {', '.join(known.values())}"
                f"{did_you_mean(name, known.values())}",
                param="columns",
            )
    return {"sku": "sku"} | {known[fold(name)]: column for name, column in columns.items()}


def short(value: object) -> str:
    """Return a value for an error message, cut after 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def fault(number: int, column: str | None, problem: str) -> ProdgenError:
    """Return an error that names a row, and a column if it is given."""
    where = f"row {number}, column {column}" if column else f"row {number}"
    return ProdgenError(f"{where}: {problem}", param=where)


def _reader(text: Iterable[str], lines: list[str]) -> Iterator[list[str]]:
    """Return a reader of ``lines`` and ``text`` that uses the delimiter of the last of ``lines``."""
    first = lines[-1]
    if first[:4] == "sep=" and first[4:5] in _DELIMITERS:  # Excel's hint, which Excel does not count as a row
        delimiter, lines = first[4], lines[:-1]
    else:
        delimiter = max(_DELIMITERS, key=first.count)
    return csv.reader(chain(lines, text), delimiter=delimiter, strict=True)


def _cells(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each row that is not blank."""
    number = 0
    while True:
        number += 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            raise fault(number, None, f"the quotes do not match ({error})") from None
        if any(cells):
            yield number, cells


def _check_text(number: int, cells: list[str]) -> None:
    """Raise ProdgenError if a cell has bytes that are not valid UTF-8. ``number``: the number of the row."""
    text = "".join(cells)
    if not text.isascii() and any("\udc80" <= character <= "\udcff" for character in text):
        raise fault(number, None, "the order is not UTF-8 text; save it as “CSV UTF-8”")


def _own_header(rows: Iterator[tuple[int, list[str]]], attributes: list[str]) -> _Header:
    """Read the header of a file whose columns are named like the model's attributes. Raises ProdgenError."""
    number, cells = next(rows, (0, ["sku"]))
    _check_text(number, cells)
    known = {fold(name): name for name in (*attributes, *NAMED)}
    names = [cell if cell in attributes else known.get(fold(cell), normalise(cell)) for cell in cells]
    if "sku" not in names:
        shown = ", ".join(filter(None, names))
        problem = f"the header has no column sku; it has {shown}; name its columns, such as sku={names[0]}"
        raise fault(number, None, problem)
    for name in filter(None, names):
        if names.count(name) > 1:
            raise fault(number, name, "the header names it twice")
    return _Header(names, {name: place for place, name in enumerate(names)})


def _header(
    rows: Iterator[tuple[int, list[str]]], attributes: list[str], columns: Mapping[str, str]
) -> _Header:
    """Read rows up to the header: the row with all ``columns``. Raises ProdgenError for a missing column."""
    wanted = check_columns(columns, attributes)
    missing = ProdgenError("the order names no SKU: it has no rows")
    for tried, (number, cells) in enumerate(rows, 1):
        texts = [normalise(cell) for cell in cells]
        folded = [fold(cell) for cell in texts]
        absent = [column for column in wanted.values() if folded.count(fold(column)) != 1]
        if not absent:
            return _Header(texts, {name: folded.index(fold(column)) for name, column in wanted.items()})
        if tried == 1:
            _check_text(number, cells)
            problem = "the header names it twice"
            if fold(absent[0]) not in folded:
                shown = ", ".join(filter(None, texts))
                hint = did_you_mean(absent[0], filter(None, texts))
                problem = f"the header has no such column; it has {shown}{hint}"
            missing = fault(number, absent[0], problem)
        if tried == _HEADER_ROWS:
            break
    raise missing


def _fill_variant(header: _Header, product: list[str], cells: list[str]) -> list[str]:
    """Fill the cells of a row that Shopify's export leaves empty, from ``product``, the product's first row.

    Returns the first row of the product of this row. Changes ``cells``.
    """
    texts = [fold(text) for text in header.texts]
    if not {"handle", "variant sku"} <= {*texts} or len(cells) < len(texts):
        return cells
    handle = texts.index("handle")
    if not product or product[handle] != cells[handle]:
        return cells
    for place in header.places.values():
        if not texts[place].startswith(_OF_VARIANT):
            cells[place] = cells[place] or product[place]
    return product


def _check_names(
    number: int, header: _Header, cells: list[str], attributes: list[str], others: list[str]
) -> None:
    """Raise ProdgenError if the row has a filled cell in a column of ``others``, which are no attributes."""
    for name in filter(None, others):
        if any(cells[header.places[name] :][:1]):
            named = ",".join(f"{known}={known}" for known in header.places if known and known not in others)
            raise fault(
                number,
                name,
                f"this model has no attribute {name!r}; its attributes are: {', '.join(attributes) or 'none'}"
                f"{did_you_mean(name, attributes)}; to skip other columns, name those to read: "
                f"--columns {named}",
            )


def _all_fields(number: int, header: _Header, cells: list[str]) -> Fields:
    """Return the fields of a row. Raises ProdgenError if a filled cell has no header or a cell is missing."""
    for place, cell in enumerate(cells):
        if cell and not "".join(header.texts[place : place + 1]):
            raise fault(number, str(place + 1), f"{short(cell)} stands under no column of the header")
    if len(cells) < len(header.texts):
        raise _cut_short(number, header, cells, len(cells))
    return _fields(number, header, cells)


def _fields(number: int, header: _Header, cells: list[str]) -> Fields:
    """Return the fields of a row's filled cells. Raises ProdgenError if a cell is missing or not UTF-8."""
    _check_text(number, cells)
    filled: Fields = {}
    for name, place in header.places.items():
        if name and place >= len(cells):
            raise _cut_short(number, header, cells, place)
        if name and cells[place]:
            values = [cells[place]] if name in NAMED else split_values(cells[place])
            filled[name] = values if len(values) > 1 else values[0]
    return fields_of(filled, {})


def _cut_short(number: int, header: _Header, cells: list[str], place: int) -> ProdgenError:
    problem = f"the row ends before it, after {len(cells)} of {len(header.texts)} fields"
    return fault(number, header.texts[place] or str(place + 1), problem)
