"""A file that breaks off is no photograph, and programs may add what they like behind a whole one."""

import io

import numpy as np
import pytest
from PIL import Image

from prodgen.spec.matte import MOST_PIXELS, file_fault
from prodgen.spec.photograph import TAIL, end_fault


def saved(format: str, side: int = 90, **options: object) -> bytes:
    pixels, buffer = np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8), io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_file_that_breaks_off_is_told_from_a_whole_one(format: str, share: float) -> None:
    data = saved(format)
    part = data[: int(len(data) * share)]
    for whole in (data, data + b"\0" * 99):
        assert end_fault(whole) is None
        assert end_fault(whole[:300], whole[-500:], len(whole)) is None
    for fault in (end_fault(part), end_fault(part[:300], part[-500:], len(part))):
        assert fault == "breaks off before its end; upload the whole file"


def test_the_end_of_the_preview_in_a_header_is_not_that_of_the_photograph() -> None:
    exif = b"Exif\0\0" + b"MM\0*\0\0\0\x08\0\0\0\0\0\0" + saved("JPEG", 16)
    data = saved("JPEG", 200, exif=exif, progressive=True)
    film = b"\0" * (2 * TAIL)
    assert end_fault(data) is None
    assert end_fault(data + film) is None
    assert end_fault(data[:-900])
    assert end_fault(data[:40])


def test_a_matte_with_too_many_pixels_is_not_decoded() -> None:
    side = int(MOST_PIXELS**0.5) + 1
    buffer = io.BytesIO()
    Image.new("1", (side, side), 1).save(buffer, "PNG")
    assert file_fault(buffer.getvalue()) == "breaks off, or is broken in another way"
