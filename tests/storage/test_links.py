"""Signed links open exactly the object that they were made for."""

from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prodgen.errors import ProdgenError
from prodgen.storage.base import check_key
from prodgen.storage.links import LinkRefused, SignedRange, content_disposition, sign, verify

SECRET = "the gateway's secret"
KEY = "tenants/acme/jobs/1/cells/000000000.t/000000007.png"


def _parts(url: str) -> tuple[str, dict[str, str]]:
    """Return the key and the query that a gateway receives."""
    address = urlsplit(url)
    assert f"{address.scheme}://{address.netloc}" == "https://images.example"
    assert address.path.startswith("/v1/objects/")
    return unquote(address.path.removeprefix("/v1/objects/")), dict(
        parse_qsl(address.query, keep_blank_values=True, errors="surrogatepass")
    )


def _link(offset: int | None = None, length: int | None = None) -> tuple[str, dict[str, str]]:
    return _parts(sign(SECRET, "https://images.example/", KEY, 60, "shoe.png", offset, length))


@settings(max_examples=50)
@given(
    st.sampled_from(["tenants/", "shared/"]),
    st.text(min_size=1),
    st.text(),
    st.none() | st.integers(0),
    st.none() | st.integers(0),
)
def test_a_link_opens_what_it_was_made_for(
    prefix: str, key: str, name: str, offset: int | None, length: int | None
) -> None:
    key = f"{prefix}{key}"
    try:
        check_key(key)
    except ProdgenError:
        key = KEY

    found, query = _parts(sign(SECRET, "https://images.example", key, 60, name, offset, length))

    assert verify(SECRET, found, query) == SignedRange(key, name, offset or 0, length)


@pytest.mark.parametrize(
    "change",
    [
        {"expires": "99999999999"},
        {"name": "shoe.html"},
        {"offset": "0"},
        {"offset": "513"},
        {"length": "101"},
        {"length": ""},
        {"signature": ""},
        {"signature": "0" * 64},
        {"signature": "豈"},
        {"offset": None},
        {"length": None},
        {"expires": None},
        {"name": None},
        {"signature": None},
    ],
)
def test_an_altered_link_opens_nothing(change: dict[str, str | None]) -> None:
    key, query = _link(512, 100)
    assert verify(SECRET, key, query) == SignedRange(KEY, "shoe.png", 512, 100)

    altered = {name: text for name, text in {**query, **change}.items() if text is not None}

    with pytest.raises(LinkRefused, match="not valid"):
        verify(SECRET, key, altered)


def test_a_link_to_one_image_opens_no_other_and_needs_our_secret() -> None:
    key, query = _link()

    for wrong_secret, wrong_key in ((SECRET, KEY.replace("7.png", "8.png")), ("another secret", key)):
        with pytest.raises(LinkRefused, match="not valid"):
            verify(wrong_secret, wrong_key, query)
    with pytest.raises(LinkRefused, match="not valid"):
        verify(SECRET, key, {**query, "offset": "0", "length": "1"})


def test_fields_cannot_be_moved_into_one_another() -> None:
    key, query = _link(512, 100)
    merged = {
        "expires": query["expires"],
        "name": "shoe.png&offset=512&length=100",
        "signature": query["signature"],
    }

    with pytest.raises(LinkRefused, match="not valid"):
        verify(SECRET, key, merged)


@pytest.mark.parametrize("key", ["system/keys.json", "system/keys/0.json", "tenants", "jobs/tenants/a"])
def test_system_objects_are_neither_signed_nor_served(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProdgenError, match="no link may lead to"):
        sign(SECRET, "https://images.example", key, 60, "keys.json")

    monkeypatch.setattr("prodgen.storage.links.check_linkable", check_key)  # as if it had been signed
    found, query = _parts(sign(SECRET, "https://images.example", key, 60, "keys.json"))
    with pytest.raises(LinkRefused, match="not valid"):
        verify(SECRET, found, query)


def test_an_expired_link_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    key, query = _link()
    monkeypatch.setattr("prodgen.storage.links.time.time", lambda: int(query["expires"]) - 0.1)
    verify(SECRET, key, query)

    monkeypatch.setattr("prodgen.storage.links.time.time", lambda: float(query["expires"]))
    with pytest.raises(LinkRefused, match="expired"):
        verify(SECRET, key, query)


@given(st.text(st.characters()))
def test_no_file_name_adds_a_header_or_a_path(name: str) -> None:
    header = content_disposition(name)

    assert header.isascii()
    assert header.isprintable()
    assert header.startswith('attachment; filename="')
    quoted = header.removeprefix('attachment; filename="').partition('"')[0]
    assert "/" not in quoted
    assert "\\" not in quoted
    assert header.count('"') == 2


def test_a_download_keeps_its_name_in_any_script() -> None:
    assert content_disposition("red-shoe 7.png") == 'attachment; filename="red-shoe 7.png"'
    assert content_disposition("鞋.png") == "attachment; filename=\"_.png\"; filename*=UTF-8''%E9%9E%8B.png"
