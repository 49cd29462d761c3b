"""Read an order file, a CSV or JSONL with a row for each SKU, as a stream of items."""

import codecs
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import BinaryIO, TextIO

from pydantic import ValidationError

from prodgen.errors import ProdgenError
from prodgen.jobs.order_csv import (
    Fields,
    Row,
    check_columns,
    csv_head,
    csv_rows,
    fault,
    fields_of,
    short,
)
from prodgen.spec.order import Item
from prodgen.spec.photograph import is_digest, photos_of
from prodgen.spec.spelling import fold
from prodgen.spec.validation_errors import explain

MAX_ROWS = 1_000_000
MAX_BYTES = 64 << 20
_MAX_DIGITS = 18

PictureId = Callable[[str, str], str]
"""Called with (``photo`` or ``matte``, the text of a row in this column). Returns the digest of the picture
that the text names, or raises ProdgenError."""

_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""The first bytes of .xlsx, .ods and .xls files."""


def check_picture_id(column: str, text: str) -> str:
    """Return ``text`` if it is one or more digests of uploads. Raises ProdgenError if it is not."""
    if not all(is_digest(one) or (column == "matte" and not one) for one in photos_of(text)):
        raise ProdgenError(
            f"{short(text)} is not the sha256 of an upload; `prodgen submit ORDER --photos FOLDER` sends them"
        )
    return text


def read_order(
    file: BinaryIO,
    attributes: Iterable[str] | None = None,
    columns: Mapping[str, str] | None = None,
    max_rows: int = MAX_ROWS,
    picture_id: PictureId = check_picture_id,
) -> Iterator[Item | ProdgenError]:
    """Yield an item for each row; for a faulty row, yield an error that names the row and the column.

    A row has a column (in JSONL a field) ``sku``, a column for each attribute, and if needed ``count``,
    ``photo`` and ``matte``. ``picture_id`` returns the digest of a photograph or matte that a row names.
    ``a|b`` in a cell asks for both values. A header may write ``attributes`` (the names of the model's
    attributes) in capitals or small letters; with ``attributes``, a CSV must not have filled cells in any
    other column. Rows are numbered as in a spreadsheet. Does not check that the model can make an item.

    ``columns`` maps ``sku``, ``count`` and attributes to columns (or fields) of the file. All other columns
    are skipped.

    Raises ProdgenError if the file as a whole cannot be read.
    """
    number = 0
    for count, (number, parse) in enumerate(_rows(file, attributes, columns)):
        if count == max_rows:
            raise ProdgenError(f"the order has more than {max_rows:,} rows; split it", param=f"row {number}")
        try:
            yield _item(number, parse(), picture_id)
        except ProdgenError as error:
            yield error
    if not number:
        raise ProdgenError("the order names no SKU: it has no rows")


def first_rows(beginning: bytes) -> list[list[str]]:
    """Return the probable header of a CSV that begins with these bytes, and some rows after it, to show them.

    The probable header is the row with the most filled cells among the first rows. Raises ProdgenError if
    the file is no CSV, or has no rows.
    """
    text = beginning.decode(_encoding(beginning), errors="replace")
    lines = [line for line in text.splitlines(keepends=True) if line.strip()]
    if not lines:
        raise ProdgenError("the order names no SKU: it has no rows")
    return csv_head(lines)


def _rows(
    file: BinaryIO, attributes: Iterable[str] | None, columns: Mapping[str, str] | None
) -> Iterator[Row]:
    if file.seek(0, io.SEEK_END) > MAX_BYTES:
        raise ProdgenError(f"the order is larger than {MAX_BYTES >> 20} MiB; split it")
    file.seek(0)
    encoding = _encoding(file.read(4))
    file.seek(0)
    # Bytes that are no UTF-8 become surrogates, so that the error can name their row.
    errors = "strict" if encoding == "utf-16" else "surrogateescape"
    text = io.TextIOWrapper(file, encoding, errors=errors, newline="")
    try:
        lines = _skip_blank(text)
        start, names = lines[-1].lstrip()[:1], [*(attributes or ())]
        if start == "[":
            raise ProdgenError("row 1: this is a JSON list; write one object a line", param="row 1")
        if start == "{":
            yield from _json_rows(text, lines, columns and check_columns(columns, names))
        else:
            yield from csv_rows(text, lines, names, columns, any_attribute=attributes is None)
    except UnicodeDecodeError:
        raise ProdgenError("the order is not UTF-16 text; save it as “CSV UTF-8”") from None
    finally:
        text.detach()  # the caller closes the file


def _encoding(beginning: bytes) -> str:
    """Return the encoding of a file by its first bytes. Raises ProdgenError for a workbook."""
    if beginning.startswith(_WORKBOOKS):
        raise ProdgenError("the order is a workbook, such as .xlsx; save it as “CSV UTF-8” and send that")
    return "utf-16" if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


def _skip_blank(text: TextIO) -> list[str]:
    """Return the lines up to and with the first line that is not blank."""
    lines = []
    for line in text:
        lines.append(line)
        if line.strip():
            break
    return lines or [""]


def _json_rows(text: TextIO, lines: list[str], columns: Mapping[str, str] | None) -> Iterator[Row]:
    """Yield the rows of a JSONL file: one row for each line that is not blank."""
    for number, line in enumerate(chain(lines, text), 1):
        if line.strip():
            yield number, partial(_json_fields, number, line, columns)


def _json_fields(number: int, line: str, columns: Mapping[str, str] | None) -> Fields:
    """Return the fields of a line of JSONL. Raises ProdgenError if the line is not a JSON object."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise fault(number, None, f"this is not JSON ({getattr(error, 'msg', 'too deep')})") from None
    if not isinstance(fields, dict):
        raise fault(number, None, 'this is no JSON object such as {"sku": "A-1"}')
    if columns:
        given = {fold(name): value for name, value in fields.items()}
        fields = {name: given.get(fold(column)) for name, column in columns.items()}
    nested = fields.pop("attributes", None) or {}
    if not isinstance(nested, dict):
        raise fault(number, "attributes", "this is no JSON object")
    return fields_of(fields, nested)


def _item(number: int, fields: Fields, picture_id: PictureId) -> Item:
    sku = _text(number, "sku", "" if fields["sku"] is None else fields["sku"])
    if not sku:
        raise fault(number, "sku", "the row has no SKU")
    attributes = {name: _values(number, name, value) for name, value in fields["attributes"].items()}
    try:
        count = None if fields["count"] is None else _count(number, fields["count"])
        photo, matte = (_picture(number, fields, column, picture_id) for column in ("photo", "matte"))
        return Item(sku=sku, count=count, attributes=attributes, photo=photo, matte=matte, row=number)
    except ValidationError as error:
        problem = explain(error)
        name = (problem.param or "").removeprefix("attributes.")
        raise fault(number, name, str(problem)) from None


def _picture(number: int, fields: Fields, column: str, picture_id: PictureId) -> str | None:
    if fields[column] is None:
        return None
    try:
        return picture_id(column, _text(number, column, fields[column]))
    except ProdgenError as error:
        raise error if error.param else fault(number, column, str(error)) from None


def _count(number: int, value: object) -> int:
    text = str(value)
    if text.isascii() and text.isdigit() and (digits := text.lstrip("0")):
        if len(digits) > _MAX_DIGITS:
            raise fault(number, "count", f"{short(text)} images are too many for one order")
        return int(digits)
    raise fault(number, "count", f"{short(text)} is not a whole number of at least 1")


def _values(number: int, name: str, value: object) -> str | list[str]:
    if not isinstance(value, list):
        return _text(number, name, value)
    listed = [_text(number, name, part) for part in value]
    if not listed or not all(listed):
        raise fault(number, name, "one of its values is empty")
    return listed


def _text(number: int, name: str, value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise fault(number, name, f"{short(value)} is not text")
