"""An order file, a CSV or JSONL of SKUs, becomes items."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError

from prodgen.errors import ProdgenError
from prodgen.spec.order import Item
from prodgen.spec.validation_errors import explain

MAX_ROWS = 1_000_000
MAX_BYTES = 64 << 20

_DELIMITERS = (",", ";", "\t")
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How .xlsx, .ods and .xls begin."""


def read_order(data: bytes, attributes: Iterable[str] = (), max_rows: int = MAX_ROWS) -> list[Item]:
    """The items of an order file: ``sku``, ``count`` if wanted, and a column (or field) an attribute.

    ``a|b`` in a cell asks for both values. A header may write ``attributes``, the model's, in capitals or
    small letters. Raises ProdgenError that names the row, as a spreadsheet numbers
    it, and the column. What the model can make is `Expansion`'s to say.
    """
    if len(data) > MAX_BYTES:
        raise ProdgenError(f"the order is larger than {MAX_BYTES >> 20} MiB; split it")
    if data.startswith(_WORKBOOKS):
        raise ProdgenError("the order is a workbook, such as .xlsx; save it as “CSV UTF-8” and send that")
    text = _decode(data)
    start = text.lstrip()[:1]
    if start == "[":
        raise ProdgenError("row 1: this is a JSON list; write one object a line", param="row 1")
    rows = _json_rows(text) if start == "{" else _csv_rows(text, attributes)
    items: list[Item] = []
    for number, fields in rows:
        if len(items) == max_rows:
            raise ProdgenError(f"the order has more than {max_rows:,} rows; split it", param=f"row {number}")
        items.append(_item(number, fields))
    if not items:
        raise ProdgenError("the order names no SKU: it has no rows")
    return items


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise ProdgenError(
            f"row {row}: the order is not UTF-8 text; save it as “CSV UTF-8”", param=f"row {row}"
        ) from None


def _csv_rows(text: str, attributes: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(row as a spreadsheet numbers it, its filled cells by column)."""
    if text[:4] == "sep=" and text[4:5] in _DELIMITERS:  # Excel's hint, which Excel does not count as a row
        delimiter = text[4]
        text = text.partition("\n")[2]
    else:
        header = text.lstrip().partition("\n")[0]
        delimiter = max(_DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
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
        if not any(cells):
            continue
        if columns is None:
            columns = _columns(number, cells, [*attributes])
        else:
            yield number, _cells(number, columns, cells)


def _columns(number: int, cells: list[str], attributes: list[str]) -> list[str]:
    known = {name.casefold(): name for name in (*attributes, "sku", "count")}
    columns = [cell if cell in attributes else known.get(cell.casefold(), cell) for cell in cells]
    if "sku" not in columns:
        raise _fault(number, None, f"the header has no column sku; it has {', '.join(filter(None, columns))}")
    for name in filter(None, columns):
        if columns.count(name) > 1:
            raise _fault(number, name, "the header names it twice")
    return columns


def _cells(number: int, columns: list[str], cells: list[str]) -> dict[str, Any]:
    if len(cells) < len(columns):
        missing = columns[len(cells)] or str(len(cells) + 1)
        raise _fault(number, missing, f"the row ends before it, after {len(cells)} of {len(columns)} fields")
    filled: dict[str, Any] = {}
    for place, cell in enumerate(cells):
        if not cell:
            continue
        if place >= len(columns) or not columns[place]:
            raise _fault(number, str(place + 1), f"{_short(cell)} stands under no column of the header")
        name = columns[place]
        filled[name] = cell.split("|") if "|" in cell and name not in ("sku", "count") else cell
    return filled


def _json_rows(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, its fields that are not null); attributes may stand in the line or under ``attributes``."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _fault(number, None, f"this is not JSON ({getattr(error, 'msg', 'too deep')})") from None
        if not isinstance(fields, dict):
            raise _fault(number, None, 'this is no JSON object such as {"sku": "A-1"}')
        nested = fields.pop("attributes", None) or {}
        if not isinstance(nested, dict):
            raise _fault(number, "attributes", "this is no JSON object")
        yield number, {name: value for name, value in {**fields, **nested}.items() if value is not None}


def _item(number: int, fields: dict[str, Any]) -> Item:
    sku = _text(number, "sku", fields.pop("sku", ""))
    if not sku:
        raise _fault(number, "sku", "the row has no SKU")
    count = fields.pop("count", None)
    attributes = {name: _values(number, name, value) for name, value in fields.items()}
    try:
        return Item(
            sku=sku,
            count=None if count is None else _count(number, count),
            attributes=attributes,
            row=number,
        )
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
