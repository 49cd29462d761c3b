"""A shop's export goes in as it is: its own columns are named once, and the rest is skipped."""

import io
import json
from collections.abc import Mapping

import pytest

from prodgen.errors import ProdgenError
from prodgen.jobs.order_file import read_order
from prodgen.spec.order import Item

ATTRIBUTES = ["category", "colour"]

SHOPIFY = """\
Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,\
Option2 Value,Variant SKU,Variant Grams,Variant Inventory Qty,Variant Price,Image Src,Image Position,Status
linen-dress,Linen dress,"<p>Cool,
light</p>",Acme,Apparel > Dresses,Dress,"summer, linen",true,Color,Navy,Size,M,LD-N-M,300,4,79.00,https://x/1.jpg,1,active
linen-dress,,,,,,,,,Crimson,,M,LD-C-M,300,2,79.00,https://x/2.jpg,2,
linen-dress,,,,,,,,,,,,,,,,https://x/3.jpg,3,
sun-hat,Sun hat,<p>Wide</p>,Acme,Apparel > Hats,Hat,summer,true,Color,Beige,,,SH-B,120,9,29.00,https://x/4.jpg,1,active
"""

GOOGLE = """\
id\ttitle\tdescription\tlink\timage link\tprice\tbrand\tgtin\tcolor\tsize\titem group id\tproduct type
LD-N-M\tLinen dress\tCool, "light"\thttps://x/1\thttps://x/1.jpg\t79.00 EUR\tAcme\t\tNavy\tM\tLD\tDress
SH-B\tSun hat\tWide\thttps://x/2\thttps://x/4.jpg\t29.00 EUR\tAcme\t\tBeige\t\tSH\tHat
"""

AMAZON = """\
TemplateType=fptcustom\tVersion=2026.0101\tTemplateSignature=QUJD\tThe top 3 rows are for Amazon only.\t\t
Seller SKU\tBrand Name\tProduct Name\tQuantity\tColor\tProduct Type
item_sku\tbrand_name\titem_name\tquantity\tcolor_name\tfeed_product_type
LD-N-M\tAcme\tLinen dress\t4\tNavy\tdress
SH-B\tAcme\tSun hat\t9\tBeige\that
"""


def read(text: str, columns: Mapping[str, str], attributes: list[str] = ATTRIBUTES) -> list[Item]:
    """The items of a file; raises what is wrong with the first faulty row."""
    items = []
    for row in read_order(io.BytesIO(text.encode()), attributes, columns):
        if isinstance(row, ProdgenError):
            raise row
        items.append(row)
    return items


def told(items: list[Item]) -> list[tuple[object, ...]]:
    return [(item.sku, item.row, item.attributes) for item in items]


def test_an_export_of_shopify_goes_in_as_it_is() -> None:
    columns = {"sku": "Variant SKU", "colour": "Option1 Value", "category": "Type"}
    assert told(read(SHOPIFY, columns)) == [
        ("LD-N-M", 2, {"colour": "Navy", "category": "Dress"}),
        (
            "LD-C-M",
            3,
            {"colour": "Crimson", "category": "Dress"},
        ),  # the product's cells are empty there
        ("SH-B", 5, {"colour": "Beige", "category": "Hat"}),
    ]


def test_an_export_of_google_merchant_goes_in_as_it_is() -> None:
    quoted = GOOGLE.replace('Cool, "light"', '"Cool, ""light"""')
    columns = {"sku": "id", "COLOUR": "color", "category": "Product  type"}
    assert told(read(quoted, columns)) == [
        ("LD-N-M", 2, {"colour": "Navy", "category": "Dress"}),
        ("SH-B", 3, {"colour": "Beige", "category": "Hat"}),
    ]


def test_a_template_of_amazon_goes_in_as_it_is() -> None:
    columns = {"sku": "item_sku", "colour": "color_name", "category": "feed_product_type"}
    assert told(read(AMAZON, columns)) == [
        ("LD-N-M", 4, {"colour": "Navy", "category": "dress"}),
        ("SH-B", 5, {"colour": "Beige", "category": "hat"}),
    ]


def test_columns_that_are_named_alike_need_no_other_name() -> None:
    [item] = read("sku,colour,price\nA,red,9\n", {"colour": "colour"})
    assert (item.sku, item.attributes) == ("A", {"colour": "red"})
    [item] = read("sku,n,category\nA,3,hat\n", {"count": "n"})
    assert (item.count, item.attributes) == (3, {})


def test_fields_of_jsonl_are_named_too() -> None:
    line = json.dumps({"id": "A", "color": ["red", "navy"], "price": 9})
    [item] = read(line, {"sku": "id", "colour": "Color"})
    assert (item.sku, item.attributes) == ("A", {"colour": ["red", "navy"]})


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"sku": "handel"}, r"row 1, column handel: the header has no such column; .* did you mean Handle\?"),
        ({"sku": "Handle", "colour": "Colour"}, r"row 1, column Colour: the header has no such column"),
        ({"sku": "Handle", "color": "Tags"}, r"no attribute 'color'; there are .* did you mean colour\?"),
        ({"colour": "Tags"}, "row 1, column sku: the header has no such column"),
    ],
)
def test_a_column_that_is_not_there_is_refused(columns: dict[str, str], words: str) -> None:
    with pytest.raises(ProdgenError, match=words):
        read(SHOPIFY, columns)


def test_a_column_that_is_there_twice_is_refused_only_if_it_is_read() -> None:
    twice = "id,tag,tag\nA,x,y\n"
    assert read(twice, {"sku": "id"})[0].sku == "A"
    with pytest.raises(ProdgenError, match="row 1, column tag: the header names it twice"):
        read(twice, {"sku": "id", "colour": "tag"})
