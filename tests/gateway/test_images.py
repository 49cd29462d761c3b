"""A link opens the bytes of one image, without a key, and nothing else."""

import hashlib
import io
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from PIL import Image

from prodgen.spec.manifest import ManifestLine
from prodgen.spec.provenance import GENERATED, make_xmp
from prodgen.storage.links import sign
from tests.gateway.running import Client, Gateway, content


@pytest.mark.parametrize("packaging", ["files", "tar"])
def test_every_image_can_be_fetched_without_a_key(
    client: Client, anyone: httpx.Client, gateway: Gateway, packaging: str
) -> None:
    job = client.order(count=2, items=[{"sku": "A/1"}, {"sku": "Ü"}], output={"packaging": packaging})["id"]
    gateway.work(client.tenant, job)
    page = client.get(f"/v1/jobs/{job}/images").json()
    assert (page["object"], page["next"]) == ("list", None)
    names = ["000000000-A_1-0.png", "000000001-A_1-1.png", "000000002-Ü-0.png", "000000003-Ü-1.png"]
    assert [row["file"] for row in page["data"]] == names
    assert [row["sku"] for row in page["data"]] == ["A/1", "A/1", "Ü", "Ü"]
    for row in page["data"]:
        response = anyone.get(row["url"])
        assert response.content == content(row["index"])
        assert hashlib.sha256(response.content).hexdigest() == row["sha256"]
        assert response.headers["content-type"] == "image/png"
        plain = f'attachment; filename="{row["file"].replace("Ü", "_")}"'
        encoded = f"; filename*=UTF-8''{quote(row['file'])}" if "Ü" in row["file"] else ""
        assert response.headers["content-disposition"] == plain + encoded
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in response.headers["content-security-policy"]


def test_a_row_is_a_manifest_line(client: Client, gateway: Gateway) -> None:
    job = client.order(count=1)["id"]
    gateway.work(client.tenant, job)
    (row,) = client.get(f"/v1/jobs/{job}/images").json()["data"]
    del row["url"]
    line = ManifestLine.model_validate(row)
    assert line.attributes == {"category": "bag"}
    assert "cells" not in str(row)
    assert "description" not in row


def test_images_are_described_in_the_language_that_is_asked_for(client: Client, gateway: Gateway) -> None:
    job = client.order(count=1, finish={"background": "white"})["id"]
    gateway.work(client.tenant, job)
    path = f"/v1/jobs/{job}/images"
    (row,) = client.get(path, params={"language": "zh"}).json()["data"]
    assert row["description"] == {
        "title": "包",
        "alt": "白色背景上的包",
        "name": "包-000000000.png",
    }
    assert client.error("GET", f"{path}?language=de")[1]["param"] == "language"


@pytest.mark.parametrize("limit", [7, 64, 1000])
def test_the_pages_together_list_every_image(client: Client, gateway: Gateway, limit: int) -> None:
    job = client.order(count=150, output={"packaging": "tar"})["id"]
    gateway.work(client.tenant, job)
    seen, after = [], "-1"
    while after is not None:
        page = client.get(f"/v1/jobs/{job}/images", params={"limit": limit, "after": after}).json()
        seen += [row["index"] for row in page["data"]]
        after = page["next"]
    assert seen == list(range(150))


def test_finished_images_are_listed_while_the_job_runs(client: Client, gateway: Gateway) -> None:
    job = client.order(count=150)["id"]
    assert client.get(f"/v1/jobs/{job}/images").json()["data"] == []
    gateway.work(client.tenant, job, cells=1)
    assert len(client.get(f"/v1/jobs/{job}/images").json()["data"]) == 64
    assert client.get(f"/v1/jobs/{job}").json()["state"] == "running"


def altered(url: str) -> list[str]:
    query = parse_qs(urlsplit(url).query)
    signature, expires = query["signature"][0], query["expires"][0]
    flipped = ("1" if signature[0] == "0" else "0") + signature[1:]
    return [
        url.split("?")[0],
        url.replace(signature, flipped),
        url.replace(f"signature={signature}", ""),
        url.replace(f"expires={expires}", f"expires={int(expires) + 1}"),
        url.replace(f"expires={expires}", "expires=never"),
        f"{url.split('/v1/')[0]}/v1/objects/system/keys.json?{urlsplit(url).query}",
        url.replace("000000000.png", "000000001.png"),
        url + "&offset=1",
        url + "&length=100000",
    ]


def test_an_altered_link_opens_nothing(client: Client, anyone: httpx.Client, gateway: Gateway) -> None:
    job = client.order(count=2)["id"]
    gateway.work(client.tenant, job)
    url = client.get(f"/v1/jobs/{job}/images").json()["data"][0]["url"]
    assert anyone.get(url).status_code == 200
    for wrong in altered(url):
        response = anyone.get(wrong)
        assert response.status_code == 403, wrong
        assert response.json()["error"]["code"] == "forbidden"


def test_a_link_expires(client: Client, anyone: httpx.Client, gateway: Gateway) -> None:
    secret, public = gateway.settings.secret_key.get_secret_value(), gateway.settings.public_url
    response = anyone.get(sign(secret, public, "tenants/acme/a.png", -1, "a.png"))
    assert (response.status_code, response.json()["error"]["message"]) == (
        403,
        "this link has expired; ask for a new one",
    )
    assert anyone.get(sign(secret, public, "tenants/no/such", 60, "x")).status_code == 404
    assert anyone.get(f"{public}/v1/objects/system/keys.json").status_code == 403


@pytest.mark.parametrize(
    ("header", "status", "start", "stop"),
    [
        ("bytes=0-", 206, 0, 3_000_000),
        ("bytes=5-9", 206, 5, 10),
        ("bytes=-4", 206, 2_999_996, 3_000_000),
        ("bytes=2999999-9999999", 206, 2_999_999, 3_000_000),
        ("bytes=1000000-2500000", 206, 1_000_000, 2_500_001),
        ("bytes=0-1,4-5", 200, 0, 3_000_000),
        ("lines=1-2", 200, 0, 3_000_000),
        ("bytes=-", 200, 0, 3_000_000),
        ("bytes=3000000-", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
    ],
)
def test_a_broken_download_can_be_resumed(
    gateway: Gateway, anyone: httpx.Client, header: str, status: int, start: int, stop: int
) -> None:
    data = bytes(range(250)) * 12_000
    gateway.store.put("shared/archive.tar", data)
    url = gateway.store.link("shared/archive.tar", 60, "archive.tar")
    response = anyone.get(url, headers={"Range": header})
    assert response.status_code == status
    if status == 416:
        assert response.headers["content-range"] == "bytes */3000000"
    else:
        assert response.content == data[start:stop]
        assert response.headers["content-length"] == str(stop - start)
    if status == 206:
        assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/3000000"


def test_a_page_that_a_user_made_is_only_downloaded(gateway: Gateway, anyone: httpx.Client) -> None:
    gateway.store.put("shared/page.html", b"<script>alert(1)</script>", "text/html")
    response = anyone.get(gateway.store.link("shared/page.html", 60, "page.html"))
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize("packaging", ["files", "tar"])
def test_head_answers_like_get_without_the_bytes(
    client: Client, anyone: httpx.Client, gateway: Gateway, packaging: str
) -> None:
    job = client.order(count=2, output={"packaging": packaging})["id"]
    gateway.work(client.tenant, job)
    for row in client.get(f"/v1/jobs/{job}/images").json()["data"]:
        asked, fetched = anyone.head(row["url"]), anyone.get(row["url"])
        assert (asked.status_code, asked.content) == (200, b"")
        for name in ("content-length", "content-type", "content-disposition", "accept-ranges"):
            assert asked.headers[name] == fetched.headers[name]
        assert anyone.head(row["url"], headers={"Range": "bytes=0-1"}).status_code == 200
        assert anyone.head(row["url"].split("?")[0]).status_code == 403
    secret, public = gateway.settings.secret_key.get_secret_value(), gateway.settings.public_url
    for part in ((None, None), (0, 10)):
        assert anyone.head(sign(secret, public, "tenants/no/such", 60, "x", *part)).status_code == 404


def test_a_picture_whose_marks_no_order_can_have_has_no_variations(client: Client) -> None:
    recipe = {"model": "shoes", "attributes": {"category": "bag"}, "seed": 1, "draw": 2, "truncation": 5.0}
    Image.new("RGB", (8, 8)).save(file := io.BytesIO(), "WEBP", xmp=make_xmp(GENERATED, recipe))
    status, error = client.error("POST", "/v1/images/variations", files={"image": file.getvalue()})
    assert (status, error["param"]) == (400, "image")
