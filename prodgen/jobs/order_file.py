"""Read an order file, a CSV or JSONL with a row for each SKU, as a stream of items."""

import codecs
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any, BinaryIO, TextIO

from pydantic import ValidationError

from prodgen.errors import ProdgenError
from prodgen.spec.order import Item
from prodgen.spec.spelling import fold, normalise, split_values
from prodgen.spec.validation_errors import explain

MAX_ROWS = 1_000_000
MAX_BYTES = 64 << 20

_DELIMITERS = (",", ";", "\t")
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""The first bytes of .xlsx, .ods and .xls files."""

_Fields = dict[str, Any]
_Row = tuple[int, Callable[[], _Fields]]
"""The number of a row, and a function that returns its fields. It raises ProdgenError for a faulty row."""


def read_order(
    file: BinaryIO, attributes: Iterable[str] = (), max_rows: int = MAX_ROWS
) -> Iterator[Item | ProdgenError]:
    """Yield an item for each row, or for a faulty row an error that names the row and the column.

    A row has a column (or field) ``sku``, an optional ``count``, and one for each attribute. ``a|b`` in a
    cell asks for both values. A header may write the names of the model's ``attributes`` in capitals or small
    letters. Rows are numbered as a spreadsheet numbers them. Does not check that the model can make an item.

    Raises ProdgenError if the file as a whole cannot be read.
    """
    number = 0
    for count, (number, parse) in enumerate(_rows(file, attributes)):
        if count == max_rows:
            raise ProdgenError(f"the order has more than {max_rows:,} rows; split it", param=f"row {number}")
        try:
            yield _item(number, parse())
        except ProdgenError as error:
            yield error
    if not number:
        raise ProdgenError("the order names no SKU: it has no rows")


def _rows(file: BinaryIO, attributes: Iterable[str]) -> Iterator[_Row]:
    if file.seek(0, io.SEEK_END) > MAX_BYTES:
        raise ProdgenError(f"the order is larger than {MAX_BYTES >> 20} MiB; split it")
    file.seek(0)
    beginning = file.read(4)
    file.seek(0)
    if beginning.startswith(_WORKBOOKS):
        raise ProdgenError("the order is a workbook, such as .xlsx; save it as “CSV UTF-8” and send that")
    wide = beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    # Bytes that are no UTF-8 become surrogates, so that the error can name their row.
    text = io.TextIOWrapper(
        file, "utf-16" if wide else "utf-8-sig", errors="strict" if wide else "surrogateescape", newline=""
    )
    try:
        lines = _skip_blank(text)
        start = lines[-1].lstrip()[:1]
        if start == "[":
            raise ProdgenError("row 1: this is a JSON list; write one object a line", param="row 1")
        yield from _json_rows(text, lines) if start == "{" else _csv_rows(text, lines, [*attributes])
    except UnicodeDecodeError:
        raise ProdgenError("the order is not UTF-16 text; save it as “CSV UTF-8”") from None
    finally:
        text.detach()  # the caller closes the file


def _skip_blank(text: TextIO) -> list[str]:
    """Return the lines up to the first one that is not blank."""
    lines = []
    for line in text:
        lines.append(line)
        if line.strip():
            break
    return lines or [""]


def _csv_rows(text: TextIO, lines: list[str], attributes: list[str]) -> Iterator[_Row]:
    """Yield the rows of a CSV. The fields of a row are its filled cells by column."""
    first = lines[-1]
    if first[:4] == "sep=" and first[4:5] in _DELIMITERS:  # Excel's hint, which Excel does not count as a row
        delimiter, lines = first[4], lines[:-1]
    else:
        delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(chain(lines, text), delimiter=delimiter, strict=True)
    columns: list[str] | None = None
    number = 0
    while True:
        number += 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            raise _fault(number, None, f"the quotes do not match ({error})") from None
        if columns is None and any(cells):
            columns = _columns(number, cells, attributes)
        elif columns is not None and any(cells):
            yield number, partial(_cells, number, columns, cells)


def _check_text(number: int, cells: list[str]) -> None:
    """Raise ProdgenError unless the bytes of each cell were valid UTF-8."""
    text = "".join(cells)
    if not text.isascii() and any("\udc80" <= character <= "\udcff" for character in text):
        raise _fault(number, None, "the order is not UTF-8 text; save it as “CSV UTF-8”")


def _columns(number: int, cells: list[str], attributes: list[str]) -> list[str]:
    """Return the name of each column, from the cells of the header."""
    _check_text(number, cells)
    known = {fold(name): name for name in (*attributes, "sku", "count")}
    columns = [cell if cell in attributes else known.get(fold(cell), normalise(cell)) for cell in cells]
    if "sku" not in columns:
        raise _fault(number, None, f"the header has no column sku; it has {', '.join(filter(None, columns))}")
    for name in filter(None, columns):
        if columns.count(name) > 1:
            raise _fault(number, name, "the header names it twice")
    return columns


def _cells(number: int, columns: list[str], cells: list[str]) -> _Fields:
    _check_text(number, cells)
    if len(cells) < len(columns):
        missing = columns[len(cells)] or str(len(cells) + 1)
        raise _fault(number, missing, f"the row ends before it, after {len(cells)} of {len(columns)} fields")
    filled: _Fields = {}
    for place, cell in enumerate(cells):
        if not cell:
            continue
        if place >= len(columns) or not columns[place]:
            raise _fault(number, str(place + 1), f"{_short(cell)} stands under no column of the header")
        name = columns[place]
        values = [cell] if name in ("sku", "count") else split_values(cell)
        filled[name] = values if len(values) > 1 else values[0]
    return _fields(filled, {})


def _json_rows(text: TextIO, lines: list[str]) -> Iterator[_Row]:
    """Yield the rows of a JSONL, one a line."""
    for number, line in enumerate(chain(lines, text), 1):
        if line.strip():
            yield number, partial(_json_fields, number, line)


def _json_fields(number: int, line: str) -> _Fields:
    """Return the fields of a line."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _fault(number, None, f"this is not JSON ({getattr(error, 'msg', 'too deep')})") from None
    if not isinstance(fields, dict):
        raise _fault(number, None, 'this is no JSON object such as {"sku": "A-1"}')
    nested = fields.pop("attributes", None) or {}
    if not isinstance(nested, dict):
        raise _fault(number, "attributes", "this is no JSON object")
    return _fields(fields, nested)


def _fields(row: _Fields, attributes: _Fields) -> _Fields:
    """Return the SKU, the count and the attributes (those in ``attributes`` included) that are not null.

    An attribute of a model may be called ``sku`` or ``count``: it is found only in ``attributes``.
    """
    named = {name: row.pop(name, None) for name in ("sku", "count")}
    known = {name: value for name, value in {**row, **attributes}.items() if value is not None}
    return {**named, "attributes": known}


def _item(number: int, fields: _Fields) -> Item:
    sku = _text(number, "sku", "" if fields["sku"] is None else fields["sku"])
    if not sku:
        raise _fault(number, "sku", "the row has no SKU")
    attributes = {name: _values(number, name, value) for name, value in fields["attributes"].items()}
    try:
        count = None if fields["count"] is None else _count(number, fields["count"])
        return Item(sku=sku, count=count, attributes=attributes, row=number)
    except ValidationError as error:
        problem = explain(error)
        name = (problem.param or "").removeprefix("attributes.")
        raise _fault(number, name, str(problem)) from None


def _count(number: int, value: object) -> int:
    text = str(value)
    if text.isascii() and text.isdigit() and len(text) <= 18 and int(text) >= 1:
        return int(text)
    raise _fault(number, "count", f"{_short(text)} is not a whole number of at least 1")


def _values(number: int, name: str, value: object) -> str | list[str]:
    if not isinstance(value, list):
        return _text(number, name, value)
    listed = [_text(number, name, part) for part in value]
    if not listed or not all(listed):
        raise _fault(number, name, "one of its values is empty")
    return listed


def _text(number: int, name: str, value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise _fault(number, name, f"{_short(value)} is not text")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _fault(number: int, column: str | None, problem: str) -> ProdgenError:
    where = f"row {number}, column {column}" if column else f"row {number}"
    return ProdgenError(f"{where}: {problem}", param=where)
