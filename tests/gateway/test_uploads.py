"""A file of SKUs is stored whole, read when it is ordered, and refused by row and column."""

import hashlib
from collections.abc import Iterator

import pytest

from api_gateway.routes import uploads
from prodgen.storage.local import LocalStore
from tests.gateway.running import Client, Gateway

ORDER = b"sku,count,category\nA-1,2,bag\nA-2,,sneaker|bag\n"


def test_an_uploaded_order_is_made_row_by_row(client: Client, gateway: Gateway) -> None:
    answer = client.post("/v1/uploads", content=ORDER, headers={"Content-Type": "text/csv; charset=utf-8"})
    assert answer.status_code == 201
    digest = hashlib.sha256(ORDER).hexdigest()
    assert answer.json() == {"id": digest, "object": "upload", "bytes": len(ORDER)}
    job = client.order(upload=digest, count=3)
    assert job["total"] == 2 + 2 * 3
    gateway.work(client.tenant, job["id"])
    rows = client.get(f"/v1/jobs/{job['id']}/images").json()["data"]
    assert [row["sku"] for row in rows] == ["A-1"] * 2 + ["A-2"] * 6


def test_a_header_in_capitals_names_the_same_columns(client: Client, gateway: Gateway) -> None:
    data = ORDER.replace(b"sku,count,category", b"SKU, Count , Category ")
    job = client.order(upload=client.post("/v1/uploads", content=data).json()["id"], count=3)
    gateway.work(client.tenant, job["id"])
    assert [job["total"], *job["request"]["attributes"]] == [8]


def test_the_same_file_twice_is_one_upload(client: Client, store: LocalStore) -> None:
    for _ in range(2):
        client.post("/v1/uploads", content=ORDER)
    assert len(list(store.list(f"tenants/{client.tenant}/uploads/"))) == 1


def test_a_file_in_many_small_pieces_is_stored_whole(client: Client, store: LocalStore) -> None:
    def pieces() -> Iterator[bytes]:
        for byte in ORDER:
            yield bytes([byte])

    digest = client.post("/v1/uploads", content=pieces()).json()["id"]
    assert store.get(f"tenants/{client.tenant}/uploads/{digest}") == ORDER


@pytest.mark.parametrize(
    ("data", "message", "param"),
    [
        (
            ORDER + b"A-3,many,bag\n",
            "row 4, column count: 'many' is not a whole number",
            "row 4, column count",
        ),
        (ORDER + b"A-3,1,boot\n", "row 4 (A-3): category cannot be 'boot'", "row 4, column category"),
        (
            b"sku,Category,hue\nA-0,,\nA-1,bag,red\nA-2,bag,red\n",
            "row 3, column hue: this model has no attribute 'hue'; its attributes are: category; "
            "to skip other columns, name those to read: --columns sku=sku,category=category",
            "row 3, column hue",
        ),
        (b"name\nA-1\n", "row 1: the header has no column sku", "row 1"),
        (b"\x89PNG\r\n", "row 1: the order is not UTF-8 text", "row 1"),
    ],
)
def test_a_malformed_file_is_refused_by_row_and_column(
    client: Client, store: LocalStore, data: bytes, message: str, param: str
) -> None:
    digest = client.post("/v1/uploads", content=data).json()["id"]
    status, error = client.error("POST", "/v1/jobs", json={"model": "shoes", "upload": digest})
    assert (status, error["param"]) == (400, param)
    assert error["message"].startswith(message)
    assert list(store.list(f"tenants/{client.tenant}/jobs/")) == []


def test_a_body_that_is_no_file_is_refused(
    client: Client, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, error = client.error("POST", "/v1/uploads")
    assert (status, error["message"]) == (400, "the body is empty; send the file itself")
    status, error = client.error("POST", "/v1/uploads", files={"file": ORDER})
    assert (status, error["code"]) == (415, "unsupported_media_type")
    monkeypatch.setattr(uploads, "MAX_BYTES", 1 << 20)
    status, error = client.error("POST", "/v1/uploads", content=b" " * ((1 << 20) + 1))
    assert (status, error["message"]) == (413, "the file is larger than 1 MiB; split it")
    assert list(store.list(f"tenants/{client.tenant}/")) == []


def test_a_form_that_is_no_form_of_photographs_is_refused(client: Client) -> None:
    for kind, body in (
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b"--x\r\nno header\r\n\r\n--x--"),
        ("application/json", b"{}"),
        ("application/x-www-form-urlencoded", b"image=1"),
    ):
        status, error = client.error("POST", "/v1/images/edits", content=body, headers={"Content-Type": kind})
        assert (status, error["code"]) == (400, "invalid_request"), kind
    pieces = iter([b"x"])
    assert client.error("POST", "/v1/images/edits", content=pieces)[0] == 411
    missing = client.error("POST", "/v1/images/edits", files={"image": b"x"}, data={"prompt": "in navy"})
    assert (missing[0], missing[1]["param"]) == (400, "model")
