"""Mattes at the door: no tenant makes the gateway decode more than it can hold, or for hours."""

import io
from pathlib import Path

import pytest
from PIL import Image

from prodgen.errors import ProdgenError
from prodgen.jobs import mattes
from prodgen.spec.order import Item
from prodgen.storage import keys
from prodgen.storage.local import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path, "s" * 32, "")


def put(store: LocalStore, name: str, data: bytes) -> str:
    digest = name * 64
    store.put(keys.upload("acme", digest), data)
    return digest


def png(width: int = 90, level: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (width, 60), level).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_matte_is_not_decoded_if_its_photograph_has_no_size(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mattes, "file_fault", lambda data: pytest.fail("the matte was decoded"))
    assert mattes.Mattes(store, "acme", 90).fault(put(store, "a", b"none"), put(store, "b", png())) is None


def test_mattes_beyond_those_decoded_at_the_door_are_judged_by_size(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mattes, "DECODED", 1)
    photo, wrong = put(store, "a", png()), put(store, "d", png(95))
    black = [put(store, "b", png()), put(store, "c", png(level=1))]
    items = [Item(sku="A", photo=photo, matte=matte) for matte in (*black, wrong)]
    order = mattes.Mattes(store, "acme", 90)
    order.look_up(items[:2])
    order.look_up(items)
    with pytest.raises(ProdgenError, match="marks no product"):
        order.check(items[0])
    order.check(items[1])
    with pytest.raises(ProdgenError, match="save it with 90 x 60 pixels"):
        order.check(items[2])
