"""A swatch that is taken from a photographed product: its cloth without the light, at the product's scale."""

import io

import cv2
import numpy as np
import pytest

from prodgen.errors import ProdgenError
from prodgen.generation.encode import encode
from prodgen.photographs.cutout import CutOut
from prodgen.photographs.lifted import lift
from prodgen.photographs.swatches import read_swatch
from prodgen.spec.provenance import make_xmp, read_provenance

SIDE = 400


def shirt(scale: float = 1.0) -> CutOut:
    """A red cloth of fine threads that grows darker downwards, with a white label."""
    matte = np.zeros((SIDE, SIDE), np.float32)
    matte[50:350, 60:340] = 1
    threads = 1 + 0.15 * np.sin(np.arange(SIDE) * 2 * np.pi / 6)[None, :, None]
    light = np.linspace(1.2, 0.6, SIDE)[:, None, None]
    rgb = (np.array([170, 40, 50]) * threads * light).clip(0, 255).round().astype(np.uint8)
    rgb[60:100, 180:220] = 250
    size = round(SIDE * scale)
    rgb, matte = cv2.resize(rgb, (size, size)), cv2.resize(matte, (size, size))
    return CutOut(rgb, matte, None, ())


def test_a_swatch_has_the_cloth_without_the_light_and_without_the_label() -> None:
    tile, repeat = lift(shirt())
    assert 64 <= len(tile) == tile.shape[1] <= 100
    assert repeat == pytest.approx(len(tile) / 300, abs=0.01)
    rows, columns = (tile.astype(float).mean((axis, 2)) for axis in (1, 0))
    assert np.ptp(rows) < 8
    assert np.ptp(columns) > 10
    assert np.abs(tile.reshape(-1, 3).mean(0) - (150, 36, 45)).max() < 25


def test_a_swatch_repeats_at_the_scale_that_its_marks_name() -> None:
    tile, _ = lift(shirt())
    for height, expected in ((0.3, 0.3), (7.0, 0.25), ("0.3", 0.25)):
        data = encode(tile, "png", make_xmp("algorithmicallyEnhanced", {"repeat": height}))
        material = read_swatch(data)
        assert material.rgb is not None
        assert material.repeat == pytest.approx(expected * len(material.rgb) / len(tile))
        assert read_provenance(io.BytesIO(data)).recipe == {"repeat": height}


def test_a_product_without_enough_cloth_gives_no_swatch() -> None:
    with pytest.raises(ProdgenError, match="pixels of cloth, and a swatch needs at least 64 x 64"):
        lift(shirt(0.2))
