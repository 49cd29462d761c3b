"""No pixel changes between the network and the file."""

import io

import numpy as np
import pytest
from PIL import Image

from prodgen.errors import ProdgenError
from prodgen.generation import png
from prodgen.generation.encode import decode, encode, encode_all, format_of
from prodgen.generation.sheet import contact_sheet

RNG = np.random.default_rng(0)


def smooth(channels: int) -> np.ndarray:
    ramp = np.add.outer(np.arange(32), np.arange(32))[..., None] * 4
    return (ramp - np.arange(channels) * 2).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_png_keeps_every_level(channels, mode):
    pixels = RNG.integers(0, 256, (28, 28, channels), dtype=np.uint8)
    data = encode(pixels, "png")
    assert Image.open(io.BytesIO(data)).mode == mode
    assert np.array_equal(decode(data), pixels)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (9, 1), (33, 70)])
def test_pngs_of_a_batch_keep_every_level_and_are_the_files_of_single_images(channels, height, width):
    ramp = np.arange(4 * height * width * channels).reshape(4, height, width, channels)
    noise = RNG.integers(0, 256, ramp.shape)
    for pixels in (ramp.astype(np.uint8), np.where(np.arange(height)[:, None, None] % 3, ramp, noise)):
        pixels = pixels.astype(np.uint8)
        files = encode_all(pixels, "png", [b"", b"<x/>", b"", b"<y/>"])
        for image, file, xmp in zip(pixels, files, (b"", b"<x/>", b"", b"<y/>"), strict=True):
            assert np.array_equal(decode(file), image)
            assert file == encode(np.ascontiguousarray(image), "png", xmp)


def test_a_large_image_that_is_filtered_in_blocks_is_the_same_file(monkeypatch):
    pixels = RNG.integers(0, 256, (33, 70, 4), dtype=np.uint8)
    whole = encode(pixels, "png")
    monkeypatch.setattr(png, "_BLOCK", 5 * pixels[0].size)
    assert encode(pixels, "png") == whole


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_lossy_files_are_close_and_of_their_format(format, channels):
    data = encode(smooth(channels), format)
    image = Image.open(io.BytesIO(data))
    assert image.format == format.upper()
    assert image.size == (32, 32)
    assert np.abs(decode(data).astype(int) - smooth(channels)).max() <= 6


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "avif"])
def test_a_file_is_a_function_of_its_pixels(format):
    data = encode(smooth(3), format)
    assert encode(smooth(3).copy(), format) == data
    assert not Image.open(io.BytesIO(data)).getexif()


def test_a_file_of_another_kind_starts_no_program_and_takes_no_memory():
    """Pillow would start Ghostscript for the first; the second states 400 million pixels."""
    for data in (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
        b"P6 20000 20000 255\n",
    ):
        assert format_of(data) is None
        with pytest.raises(ProdgenError, match=r"cannot identify|exceeds limit"):
            decode(data)


def test_jpeg_shows_white_through_what_is_transparent():
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[:, 8:] = (255, 0, 0, 255)
    made = decode(encode(pixels, "jpeg"))
    assert made.shape == (16, 16, 3)
    assert (made[:, :4] > 250).all()
    assert np.abs(made[:, 12:].astype(int) - (255, 0, 0)).max() < 6


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"not an image", encode(smooth(1), "png")[:60]])
def test_data_that_is_not_an_image_is_refused_in_one_sentence(data):
    with pytest.raises(ProdgenError, match="not a complete image"):
        decode(data)


def test_a_sheet_shows_every_image_on_white_with_room_for_its_label():
    clear = Image.new("RGBA", (28, 28), (255, 0, 0, 0))
    sheet = contact_sheet(
        [clear] * 5 + [Image.new("L", (200, 200))], ["bag"] * 5 + ["a very long label indeed"]
    )
    assert sheet.mode == "RGB"
    assert sheet.width >= 3 * 96
    assert sheet.height >= 2 * 96
    assert sheet.getpixel((6 + 48, 6 + 48)) == (255, 255, 255)


def test_a_sheet_without_images_is_a_sheet():
    assert contact_sheet([], []).width > 0
