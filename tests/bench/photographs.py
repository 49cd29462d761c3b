"""How fast photographs become catalogue pictures, and the share of each stage.

    python -m tests.bench.photographs --side 1024 --colours 8 [--weights FOLDER] [PHOTOGRAPH ...]

Without photographs, those that come with the package are enlarged to SIDE. With ``--weights``, the cutter is
u2netp, and the time of rembg's own `remove`, which only cuts out, is measured on the same photographs.
"""

import argparse
import io
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from prodgen.bundled import bundled_photographs
from prodgen.catalog.picture_files import Photograph, decode
from prodgen.photographs import edit as making
from prodgen.photographs.cutout import cut_out
from prodgen.photographs.cutters import load_cutter

COLOURS = ("crimson", "navy", "#3f8f5b", "#e3c04a", "#e7a6b8", "grey", "white", "black")


def enlarged(path: Path, side: int) -> Photograph:
    """Return a photograph whose longer side is ``side`` pixels."""
    image = Image.fromarray(decode(path, side).rgb)
    scale = side / max(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    return Photograph(np.asarray(image), None, image.size)


def main() -> None:
    """Measure, and print the figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photographs", nargs="*", type=Path)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--colours", type=int, default=8)
    parser.add_argument("--weights", type=Path)
    asked = parser.parse_args()
    seconds: Counter[str] = Counter()

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        seconds[name] += time.perf_counter() - begin

    cutter = load_cutter("u2netp" if asked.weights else "grabcut", asked.weights)
    photographs = [enlarged(path, asked.side) for path in asked.photographs or bundled_photographs()]
    edit = making.Edit(COLOURS[: asked.colours], ("studio",), asked.side, asked.side)
    cut_out(photographs[0], cutter)  # the first call loads libraries
    pictures = 0
    for photograph in photographs:
        with stage("cut out"):
            cut = cut_out(photograph, cutter)
        with stage("recolour, place, encode"):
            pictures += sum(1 for _ in making.make_pictures(photograph, "", cut, cutter.name, edit))
    total = sum(seconds.values())
    figures = {
        "cutter": cutter.name,
        "side": asked.side,
        "threads": torch.get_num_threads(),
        "pictures": pictures,
        "pictures_per_minute": round(60 * pictures / total, 1),
        "share": {name: round(value / total, 3) for name, value in seconds.items()},
        "cost_of_all_colours_in_cut_outs": round(total / seconds["cut out"], 2),
    }
    if asked.weights:
        figures |= against_rembg(photographs, seconds["cut out"])
    print(json.dumps(figures, indent=2))


def against_rembg(photographs: list[Photograph], ours: float) -> dict[str, float]:
    """Return the seconds that rembg needs to cut the photographs out, and our seconds divided by these."""
    from rembg import new_session, remove

    session = new_session("u2netp")
    begin = time.perf_counter()
    for photograph in photographs:
        image = Image.fromarray(photograph.rgb)
        remove(image, session=session).save(io.BytesIO(), "PNG")
    theirs = time.perf_counter() - begin
    return {"rembg_seconds": round(theirs, 2), "cut_out_against_rembg": round(ours / theirs, 2)}


if __name__ == "__main__":
    main()
