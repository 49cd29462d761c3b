"""Materials on a product: they keep its light, follow its limbs, and stop at trims and at its edge."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from prodgen.errors import ProdgenError
from prodgen.photographs.materials import MATERIALS, Material, material
from prodgen.photographs.product import Look, Product
from prodgen.photographs.scenes import ground
from prodgen.photographs.swatches import read_swatch
from prodgen.spec.finish import Frame

SIDE = 400
SCENE = ground("white", SIDE, SIDE)


def shirt(swatch: Material | None = None) -> Product:
    """A grey shirt with vertical folds, a red button and a sleeve that points down to the right."""
    matte = np.zeros((SIDE, SIDE), np.float32)
    cv2.rectangle(matte, (60, 60), (240, 339), 1.0, -1)
    cv2.line(matte, (220, 100), (360, 240), 1.0, 50)
    light = 120 + 40 * np.sin(np.arange(SIDE) / 14)
    rgb = np.broadcast_to(light[None, :, None], (SIDE, SIDE, 3)).round().astype(np.uint8).copy()
    region = matte.copy()
    cv2.circle(rgb, (150, 200), 12, (190, 20, 30), -1)
    cv2.circle(region, (150, 200), 13, 0.0, -1)
    return Product(rgb, matte, region, Frame(SIDE, SIDE, 0.75), None, lambda name: swatch or material(name))


@pytest.fixture(scope="module")
def made() -> dict[str, np.ndarray]:
    """The shirt in each material, (H, W, 3), and as it is under ``original``."""
    product = shirt()
    looks = {name: Look(material=name) for name in MATERIALS} | {"original": Look()}
    return {name: product.picture(look, "white", SCENE).astype(int) for name, look in looks.items()}


@pytest.mark.parametrize("name", MATERIALS)
def test_a_repeat_leads_on_to_the_next(name: str) -> None:
    for plane in (material(name).share, material(name).light):
        if plane is not None:
            for one in (plane, plane.T):
                inside = np.abs(np.diff(one, axis=0)).mean(1).max()
                assert np.abs(one[-1] - one[0]).mean() <= inside + 1e-6


@pytest.mark.parametrize("name", MATERIALS)
def test_a_material_changes_the_region_and_nothing_else(made: dict[str, np.ndarray], name: str) -> None:
    changed = np.abs(made[name] - made["original"]).max(-1)
    own = made["original"]
    button = cv2.erode((own[..., 0] > own[..., 1] + 60).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert button.sum() > 100
    assert changed[button].max() <= 1
    assert changed[(own == 255).all(-1)].max() <= 1
    assert changed[100:180, 80:220].mean() > 3


@pytest.mark.parametrize("name", MATERIALS)
def test_the_folds_of_the_photograph_show_on_every_material(made: dict[str, np.ndarray], name: str) -> None:
    columns = [made[one][100:300, 80:220].mean((0, 2)) for one in (name, "original")]
    smooth = [cv2.GaussianBlur(one[None], (0, 0), 4)[0] for one in columns]
    assert np.corrcoef(*smooth)[0, 1] >= 0.9


def test_stripes_have_their_period_and_run_across_a_sleeve(made: dict[str, np.ndarray]) -> None:
    light = made["stripes"].mean(-1).astype(np.float32)
    period = material("stripes").repeat * 0.75 * SIDE
    column = light[80:320, 110:118].mean(1)
    strength = np.abs(np.fft.rfft(column - column.mean()))
    assert len(column) / np.argmax(strength) == pytest.approx(period, rel=0.1)
    assert direction(light[100:300, 90:140]) == pytest.approx(90, abs=8)
    sleeve = light[190:240, 260:310]
    assert direction(sleeve) == pytest.approx(45, abs=12)


def direction(light: np.ndarray) -> float:
    """The direction in which lightness changes most, in degrees: 0 is right, 90 is down."""
    x, y = (cv2.Sobel(light, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    return float(np.degrees(np.arctan2(2 * (x * y).sum(), (x * x - y * y).sum())) / 2 % 180)


def test_a_material_takes_the_colour_asked_for_and_is_the_same_in_every_process(
    made: dict[str, np.ndarray],
) -> None:
    product = shirt()
    again = product.picture(Look(material="knit"), "white", SCENE)
    assert (again == made["knit"]).all()
    red = product.picture(Look("#b01e2e", "knit"), "white", SCENE)[100:300, 80:220].reshape(-1, 3).mean(0)
    assert red[0] > 2 * red[1]
    assert red[0] > 2 * red[2]


def png(rgb: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb.round().astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_swatch_brings_its_colours_and_its_period(made: dict[str, np.ndarray]) -> None:
    wave = 128 + 60 * np.sin(2 * np.pi * (np.arange(96) + 0.5) / 32)
    swatch = read_swatch(
        png(np.dstack([np.tile(wave[:, None], (1, 96)), np.full((96, 96), 90), np.full((96, 96), 60)]))
    )
    assert swatch.rgb is not None
    assert swatch.rgb.shape == (96, 96, 3)  # it repeats as it is
    product = shirt(swatch)
    worn = product.picture(Look(material="own"), "white", SCENE)[80:320, 80:220].astype(float)
    assert np.abs(worn.reshape(-1, 3).mean(0) - (128, 90, 60)).max() < 12
    column = worn[:, 30:38, 0].mean(1)
    strength = np.abs(np.fft.rfft(column - column.mean()))
    assert len(column) / np.argmax(strength) == pytest.approx(swatch.repeat * 0.75 * SIDE / 3, rel=0.1)
    blue = product.picture(Look("#1f2a80", "own"), "white", SCENE)[80:320, 80:220].reshape(-1, 3).mean(0)
    assert blue[2] > 1.5 * blue[0]


def test_a_swatch_that_does_not_repeat_is_joined_to_itself() -> None:
    """A photographed cloth of random specks that is darker on one side has neither a seam nor a dark side."""
    specks = cv2.GaussianBlur(np.random.default_rng(0).random((160, 120)), (0, 0), 2)
    cloth = (128 + 400 * (specks - specks.mean())) * np.linspace(0.7, 1.3, 120)
    tile = read_swatch(png(np.dstack([cloth] * 3).clip(0, 255))).rgb
    assert tile is not None
    for one in (tile, tile.swapaxes(0, 1)):
        inside = np.abs(np.diff(one, axis=0)).mean((1, 2))
        assert np.abs(one[-1] - one[0]).mean() <= 1.5 * inside.mean()
        assert inside.max() <= 2 * inside.mean()
    assert tile[:, :40].mean() == pytest.approx(tile[:, -40:].mean(), rel=0.05)


def test_a_swatch_that_is_too_small_or_broken_says_so() -> None:
    with pytest.raises(ProdgenError, match="has 3 x 3 pixels, and a swatch needs at least 64 x 64"):
        read_swatch(png(np.zeros((3, 3, 3))))
    with pytest.raises(ProdgenError, match="a swatch is at most 16 times as long as wide"):
        read_swatch(png(np.zeros((64, 2000, 3))))
    with pytest.raises(ProdgenError, match="the swatch is no picture"):
        read_swatch(b"nothing")
    whole = png(np.random.default_rng(0).integers(0, 255, (90, 90, 3)))
    broken = read_swatch(whole[: len(whole) // 2])
    assert "cannot be read" in (broken.fault or "")
    plain = shirt(broken).picture(Look(material="own"), "white", SCENE)
    assert np.abs(plain.astype(int) - shirt().picture(Look(), "white", SCENE)).max() <= 1
