"""Photographs with an embedded colour profile keep their colours."""

import io
import logging

import numpy as np
import pytest
from PIL import Image, ImageCms

from prodgen.catalog.photographs.inspection import inspect
from prodgen.catalog.picture_files import decode, decode_or_fault, read_pictures
from prodgen.library_warnings import warn_once
from tests.catalog.profiles import ADOBE, P3, grey_profile, rgb_profile

RED = (200, 30, 40)
PROFILES = {"p3": rgb_profile(P3), "adobe": rgb_profile(ADOBE), "wide gamma": rgb_profile(ADOBE, 1.8)}


def encoded(profile: bytes) -> Image.Image:
    """A red picture whose numbers are those of the profile; a viewer shows RED."""
    source = ImageCms.createProfile("sRGB")
    target = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.profileToProfile(Image.new("RGB", (64, 64), RED), source, target, renderingIntent=1)


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "tif", "palette.png", "alpha.png"])
@pytest.mark.parametrize("name", PROFILES)
def test_a_picture_is_read_in_the_colours_that_a_viewer_shows(tmp_path, name, kind):
    picture = encoded(PROFILES[name])
    assert np.abs(np.array(picture.getpixel((32, 32))) - RED).max() > 5
    if kind == "palette.png":
        picture = picture.quantize(8)
    if kind == "alpha.png":
        picture.putalpha(Image.new("L", picture.size, 200))
    quality = {} if kind.endswith(("png", "tif")) else {"quality": 98}
    picture.save(tmp_path / f"1.{kind}", icc_profile=PROFILES[name], **quality)

    read = [decode(tmp_path / f"1.{kind}", 64).rgb, read_pictures(tmp_path, [f"1.{kind}"], 64, 3)[0]]

    wanted = np.array(RED) if kind != "alpha.png" else np.array(RED) * 200 / 255 + 55
    for pixels in read:
        assert np.abs(pixels[32, 32] - wanted).max() <= 5


def test_a_grey_picture_is_read_in_the_light_that_a_viewer_shows(tmp_path):
    Image.new("L", (64, 64), 128).save(tmp_path / "1.png", icc_profile=grey_profile(1.0))
    assert decode(tmp_path / "1.png", 64).rgb[32, 32].tolist() == [
        188,
        188,
        188,
    ]  # sRGB's code of half the light
    assert read_pictures(tmp_path, ["1.png"], 64, 1)[0, 32, 32].tolist() == [188]


@pytest.mark.parametrize(
    "profile", [None, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()]
)
def test_a_picture_of_srgb_keeps_every_number(tmp_path, profile):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "1.png", icc_profile=profile)
    assert np.array_equal(decode(tmp_path / "1.png", 64).rgb, pixels)


@pytest.mark.parametrize("profile", [b"junk" * 50, grey_profile(1.0), PROFILES["p3"][:200]])
def test_a_broken_profile_is_said_once_and_ignored(tmp_path, caplog, profile):
    Image.new("RGB", (64, 64), RED).save(tmp_path / "shirt.png", icc_profile=profile)
    with caplog.at_level(logging.WARNING):
        assert read_pictures(tmp_path, ["shirt.png"], 64, 3)[0, 32, 32].tolist() == list(RED)
        [line] = caplog.messages
        assert "shirt.png has a broken colour profile, which is ignored" in line
        caplog.clear()
        warn_once.cache_clear()
        inspect(tmp_path, lambda *_: None)
        decode(tmp_path / "shirt.png", 64)  # later readings say nothing
        assert len(caplog.messages) == 1
        assert not isinstance(decode_or_fault(tmp_path / "shirt.png", 64), str)
