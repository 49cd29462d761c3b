"""The cutters, against masks of real products that a person has checked (``masks/README.md``)."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from prodgen.catalog.photographs.masks import iou
from prodgen.catalog.picture_files import decode
from prodgen.photographs.cutout import cut_out
from prodgen.photographs.cutters import Cutter, GrabCut, load_cutter

PHOTOGRAPHS = sorted((Path(__file__).parent / "masks").glob("*.jpg"))


def overlaps(cutter: Cutter) -> list[float]:
    """The intersection over union of each product's cut-out with its mask."""
    found = []
    for path in PHOTOGRAPHS:
        mask = np.asarray(Image.open(path.with_suffix(".png")))
        found.append(float(iou(cut_out(decode(path, 4096), cutter).matte > 0.5, mask)))
    return found


def test_grabcut_finds_products_as_well_as_before() -> None:
    found = overlaps(GrabCut())
    assert np.median(found) > 0.945, found
    assert sum(overlap > 0.9 for overlap in found) >= 16, found  # it misses three products altogether


@pytest.mark.skipif(
    "U2NET_HOME" not in os.environ, reason="U2NET_HOME does not name a folder with u2netp.onnx"
)
def test_the_network_finds_products_as_well_as_before() -> None:
    pytest.importorskip("rembg")
    found = overlaps(load_cutter("u2netp"))
    assert np.mean(found) > 0.98, found
    assert min(found) > 0.88, found
