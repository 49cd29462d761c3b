"""A merchandiser's file is read as it was meant, or refused by row and column."""

import io
import json
from collections.abc import Sequence

import pytest

from prodgen.errors import ProdgenError
from prodgen.jobs.order_file import MAX_BYTES, MAX_ROWS, read_order
from prodgen.spec.attributes import AttributeSchema, Choice
from prodgen.spec.order import Expansion, Item, JobSpec

CATEGORY = Choice(name="category", values=("sneaker", "bag"), frequencies=(0.5, 0.5))
SCHEMA = AttributeSchema(attributes=(CATEGORY,))

PLAIN = b"sku,count,category\nA-1,2,sneaker\nA-2,,bag|sneaker\n"
ITEMS = [
    Item(sku="A-1", count=2, attributes={"category": "sneaker"}, row=2),
    Item(sku="A-2", attributes={"category": ["bag", "sneaker"]}, row=3),
]


def read(data: bytes, attributes: Sequence[str] | None = None, max_rows: int = MAX_ROWS) -> list[Item]:
    """The items of a file; raises what is wrong with the first faulty row."""
    items = []
    for row in read_order(io.BytesIO(data), attributes, None, max_rows):
        if isinstance(row, ProdgenError):
            raise row
        items.append(row)
    return items


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        PLAIN.rstrip(),
        PLAIN.replace(b"\n", b"\r\n"),
        PLAIN.replace(b"\n", b"\r"),
        PLAIN.replace(b",", b";"),
        PLAIN.replace(b",", b"\t"),
        b"\xef\xbb\xbf" + PLAIN,
        PLAIN.decode().encode("utf-16"),
        b"sep=;\r\n" + PLAIN.replace(b",", b";"),
        b'"sku","count","category"\n"A-1","2","sneaker"\n"A-2","","bag|sneaker"\n',
        b"SKU, Count ,category\n A-1 , 2, sneaker\nA-2,,bag | sneaker\n",
        b"category,sku,count,,\nsneaker,A-1,2,,\nbag|sneaker,A-2,,,\n",
    ],
)
def test_every_export_of_the_same_order_is_the_same_order(data: bytes) -> None:
    assert read(data) == ITEMS


def test_jsonl_says_what_csv_says() -> None:
    lines = [
        {"sku": "A-1", "count": 2, "category": "sneaker"},
        {"sku": "A-2", "category": ["bag", "sneaker"]},
    ]
    nested = [{"sku": "A-1", "count": 2, "attributes": {"category": "sneaker"}}, {**lines[1], "count": None}]
    for form in (lines, nested):
        data = "\n" + "\n".join(map(json.dumps, form))
        assert read(data.encode()) == ITEMS
    assert read(b'{"sku": 4711}')[0].sku == "4711"


def test_rows_are_counted_as_a_spreadsheet_counts_them() -> None:
    items = read(b'\nsku,category\n\n"A\n1",bag\n,\nA-2,bag\n')
    assert [(item.sku, item.row) for item in items] == [("A\n1", 4), ("A-2", 6)]


def test_a_quoted_field_may_hold_the_delimiter() -> None:
    assert read(b'sku,category\n"Boot, high",bag\n')[0].sku == "Boot, high"
    assert read('sku;category\n"Größe ""L""";bag\n'.encode())[0].sku == 'Größe "L"'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the order names no SKU"),
        (b"\n \n", "the order names no SKU"),
        (b"sku,category\n", "the order names no SKU"),
        (b"name,category\nA,bag\n", "row 1: the header has no column sku; it has name, category"),
        (b"sku,category,category\nA,bag,bag\n", "row 1, column category: the header names it twice"),
        (b"sku,count\nA,1\n\nB,many\n", "row 4, column count: 'many' is not a whole number of at least 1"),
        (b"sku,count\nA,0\n", "row 2, column count: '0' is not a whole number of at least 1"),
        (b"sku,count\nA,-3\n", "row 2, column count: '-3' is not"),
        (b"sku,count\nA,1.5\n", "row 2, column count: '1.5' is not"),
        (
            b"sku,count\nA," + b"9" * 20 + b"\n",
            "row 2, column count: '99999999999999999999' images are too many",
        ),
        (b"sku,count\nA," + b"9" * 5000 + b"\n", "row 2, column count: '999"),
        (
            b"sku,count,category\nA,1,bag\nB,2\n",
            "row 3, column category: the row ends before it, after 2 of 3",
        ),
        (b"sku,category\nA,bag,red\n", "row 2, column 3: 'red' stands under no column"),
        (b"sku,,category\nA,x,bag\n", "row 2, column 2: 'x' stands under no column"),
        (b"sku,category\n,bag\n", "row 2, column sku: the row has no SKU"),
        (b"sku,category\nA,bag||sneaker\n", "row 2, column category: one of its values is empty"),
        (b"sku,category\n" + b"A" * 201 + b",bag\n", "row 2, column sku: sku is longer than 200 characters"),
        (b'sku,category\nA,bag\n"B,bag\nC,bag\n', "row 3: the quotes do not match"),
        (b'sku,category\n"A"1,bag\n', "row 2: the quotes do not match"),
        (b"sku,category\nA,bag\nB,r\xf6d\n", "row 3: the order is not UTF-8 text"),
        (b"PK\x03\x04\x14\0\x06\0", "the order is a workbook, such as .xlsx; save it as “CSV UTF-8”"),
        (b"\x89PNG\r\n\x1a\n\0\0", "row 1: the order is not UTF-8 text"),
        (b'{"sku": "A"}\n{"sku": \n', "row 2: this is not JSON"),
        (b'{"sku": "A"}\n["B"]\n', "row 2: this is no JSON object"),
        (b'[{"sku": "A"}]', "row 1: this is a JSON list; write one object a line"),
        (b'{"sku": "A", "count": true}', "row 1, column count: 'True' is not a whole number"),
        (b'{"sku": "A", "category": {"a": 1}}', "row 1, column category: {'a': 1} is not text"),
        (b'{"sku": "A", "category": []}', "row 1, column category: one of its values is empty"),
        (b'{"sku": "A", "attributes": 3}', "row 1, column attributes: this is no JSON object"),
        (b'{"sku": "\\ud800"}', "row 1, column sku: "),
        (b'{"a":' * 100_000, "row 1: this is not JSON"),
    ],
)
def test_a_malformed_order_is_refused_by_row_and_column(data: bytes, message: str) -> None:
    with pytest.raises(ProdgenError) as caught:
        read(data)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_an_order_too_large_is_refused() -> None:
    with pytest.raises(ProdgenError, match="the order has more than 2 rows; split it"):
        read(b"sku\nA\nB\nC\n", max_rows=2)
    with pytest.raises(ProdgenError, match="larger than 64 MiB"):
        read(b"\n" * (MAX_BYTES + 1))


def test_a_header_may_be_written_in_capitals() -> None:
    assert read(PLAIN.replace(b"sku,count,category", b" SKU,COUNT , Category "), ["category"]) == ITEMS
    both = read(b"sku,Hue,hue\nA,red,blue\n", ["Hue", "hue"])
    assert both[0].attributes == {"Hue": "red", "hue": "blue"}
    with pytest.raises(ProdgenError, match="row 1, column category: the header names it twice"):
        read(b"sku,Category,category\nA,bag,bag\n", ["category"])


def test_a_bar_that_belongs_to_a_value_is_escaped() -> None:
    [item] = read(b"sku,size\nA|1,S\\|M|L\n")
    assert (item.sku, item.attributes) == ("A|1", {"size": ["S|M", "L"]})


def test_a_model_with_an_attribute_that_is_called_sku_can_be_ordered() -> None:
    line = {"sku": "A-1", "count": 2, "attributes": {"sku": "S1", "count": "3"}}
    [item] = read(json.dumps(line).encode(), ["sku", "count"])
    assert (item.sku, item.count, item.attributes) == ("A-1", 2, {"sku": "S1", "count": "3"})
    [item] = read(b"sku,count\nA-1,2\n", ["sku", "count"])
    assert (item.sku, item.count, item.attributes) == ("A-1", 2, {})


def test_what_the_model_cannot_make_is_refused_by_row() -> None:
    spec = JobSpec(model="m")
    with pytest.raises(ProdgenError, match=r"row 3 \(B\): category cannot be 'boot'") as caught:
        Expansion(spec, read(b"sku,category\nA,bag\nB,boot\n"), SCHEMA)
    assert caught.value.param == "row 3, column category"
    with pytest.raises(ProdgenError, match=r"row 2 \(A\): this model has no attribute 'hue'"):
        Expansion(spec, read(b"sku,hue\nA,red\n"), SCHEMA)
    with pytest.raises(ProdgenError, match=r"item 1 \(A\): this model has no attribute 'hue'"):
        Expansion(spec, [Item(sku="A", attributes={"hue": "red"})], SCHEMA)
