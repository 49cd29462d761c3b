"""Measure recoloured products on real photographs: colour, structure, and what should stay as it is.

    python -m tests.bench.recolour FOLDER [--photographs 63] [--seed 0] [--weights FOLDER]

Takes photographs by the seed until the cut-out and the main colour of so many are trusted, and brings each
product to eight colours. Prints a row for each colour, and one for all. With ``--weights``, the cutter is
u2netp.
"""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch

from prodgen.catalog.picture_files import decode
from prodgen.photographs.colour_doubts import doubts_about_colour
from prodgen.photographs.cutout import cut_out
from prodgen.photographs.cutters import Cutter, load_cutter
from prodgen.photographs.recolour import Recolouring
from prodgen.photographs.region import METHOD
from prodgen.spec.colour import delta_e_2000, levels, parse_colour, to_lab

COLOURS = ("crimson", "navy", "#3f8f5b", "#e3c04a", "#e7a6b8", "grey", "white", "black")
_INSIDE, _OUTSIDE = 0.99, 0.005  # weights of the region from which, and below which, a pixel is measured
_SPREAD = 4.0  # deviation in pixels of the neighbourhood that lightness is compared with
_TOUCHED = 1.5  # a change of more levels of 255 counts; half a level is lost by rounding


class Pair(NamedTuple):
    """The figures of a photograph in a colour."""

    difference: float  # CIEDE2000 between the region's mean colour and the colour asked for
    structure: float  # correlation of local contrasts of lightness, before and after
    touched: float  # share of the pixels outside the region that changed visibly


def pairs(path: Path, cutter: Cutter) -> list[Pair] | None:
    """Return the figures of a photograph in each of `COLOURS`; None if it would go to review."""
    cut = cut_out(decode(path, 4096), cutter)
    if cut.doubts or doubts_about_colour(cut.region, 6):  # method 7 would leave no print to look at
        return None
    weight = cut.region.weight
    wanted = to_lab([np.array(levels(parse_colour(colour))) / 255 for colour in COLOURS])
    recolouring = Recolouring(torch.from_numpy(cut.rgb.copy()).permute(2, 0, 1), torch.from_numpy(weight))
    before, inside = cut.rgb / 255, (weight > _INSIDE).astype(np.float64)
    contrast, outside = local_contrast(before, inside), (cut.matte > 0) & (weight < _OUTSIDE)
    found = []
    for asked in wanted:
        (picture,) = recolouring(torch.from_numpy(asked[None]).float()).permute(0, 2, 3, 1).numpy()
        mean = (to_lab(picture) * weight[..., None]).sum((0, 1)) / weight.sum()
        structure = np.corrcoef(contrast, local_contrast(picture, inside))[0, 1]
        change = np.abs(picture - before)[outside].max(1) * 255 if outside.any() else np.zeros(1)
        pair = delta_e_2000(mean, asked), structure, (change > _TOUCHED).mean()
        found.append(Pair(*map(float, pair)))
    return found


def local_contrast(rgb: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return lightness minus its mean in the neighbourhood, of which only the pixels ``inside`` count."""
    lightness = to_lab(rgb)[..., 0]
    share = np.maximum(cv2.GaussianBlur(inside, (0, 0), _SPREAD), 1e-6)
    contrast: np.ndarray = lightness - cv2.GaussianBlur(lightness * inside, (0, 0), _SPREAD) / share
    return contrast[inside > 0]


def trusted(paths: list[Path], cutter: Cutter, count: int) -> Iterator[list[Pair]]:
    """Yield the figures of the first ``count`` photographs that are trusted, and print how many were seen."""
    made = seen = 0
    while made < count and seen < len(paths):
        found = pairs(paths[seen], cutter)
        seen += 1
        if found:
            made += 1
            yield found
    print(f"method {METHOD}, cutter {cutter.name}: {made} of {seen} photographs are trusted")


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photographs", type=int, default=63)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", type=Path)
    asked = parser.parse_args()
    paths = sorted(asked.folder.rglob("*.jpg"))
    random.Random(asked.seed).shuffle(paths)
    cutter = load_cutter("u2netp" if asked.weights else "grabcut", asked.weights)
    figures = np.array(list(trusted(paths, cutter, asked.photographs)))  # (photographs, colours, 3)
    print("colour     | difference: median, 90% | structure: median, 10%, share >= 0.95 | touched: mean, 90%")
    rows = [*zip(COLOURS, figures.transpose(1, 0, 2), strict=True), ("all", figures.reshape(-1, 3))]
    for name, row in rows:
        difference, structure, touched = row.T
        print(
            f"{name:10} | {np.median(difference):.2f}, {np.percentile(difference, 90):.2f} | "
            f"{np.median(structure):.3f}, {np.percentile(structure, 10):.3f}, "
            f"{(structure >= 0.95).mean():.0%} | {touched.mean():.2%}, {np.percentile(touched, 90):.2%}"
        )


if __name__ == "__main__":
    main()
