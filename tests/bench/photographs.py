"""How fast photographs become catalogue pictures, and the share of each stage.

    python -m tests.bench.photographs --side 1024 --colours 8 [--weights FOLDER] [PHOTOGRAPH ...]

Without photographs, those that come with the package are enlarged to SIDE. With ``--weights``, the cutter is
u2netp, and the time of rembg's own `remove`, which only cuts out, is measured on the same photographs.

    python -m tests.bench.photographs --order 300 --side 256 [--weights FOLDER] PHOTOGRAPH ...

orders 300 of the photographs, in each colour and in two scenes, from ``prodgen up``, and kills the worker and
the broker in the middle (`killed_order`).
"""

import argparse
import io
import json
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

from prodgen.bundled import bundled_photographs
from prodgen.catalog.picture_files import Photograph, decode
from prodgen.client import Client
from prodgen.errors import ProdgenError
from prodgen.photographs import edit as making
from prodgen.photographs.cutout import cut_out
from prodgen.photographs.cutters import load_cutter
from prodgen.spec.order import CELL
from tests.faults.whole import assert_once, export, manifest, verified
from tests.servers.up import Up

COLOURS = ("crimson", "navy", "#3f8f5b", "#e3c04a", "#e7a6b8", "grey", "white", "black")
SCENES = ("studio", "floor")


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
    parser.add_argument("--order", type=int, metavar="COUNT")
    asked = parser.parse_args()
    if asked.order:
        chosen = random.Random(0).sample(asked.photographs, asked.order)
        print(json.dumps(killed_order(chosen, COLOURS[: asked.colours], asked.side, asked.weights), indent=2))
        return
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


def killed_order(
    photographs: list[Path], colours: tuple[str, ...], side: int, weights: Path | None
) -> dict[str, float]:
    """Order the photographs from ``prodgen up``, and ``kill -9`` its worker and its broker.

    The worker is killed after a third of the pictures, and the broker after two thirds. Checks that each
    picture is in the manifests and in the store once, and makes those of every tenth photograph again.
    Returns the figures.
    """
    if weights:
        os.environ["U2NET_HOME"] = str(weights)
    model = "studio" if weights else "studio-grabcut"
    total = len(photographs) * len(colours) * len(SCENES)
    with TemporaryDirectory() as name, Up(Path(name) / "data", workers=1) as up, up.client() as client:
        folder, photos, begin = Path(name), Path(name) / "photos", time.monotonic()
        photos.mkdir()
        for path in photographs:
            shutil.copy(path, photos)
        order = folder / "order.csv"
        order.write_text("sku,photo\n" + "".join(f"{path.stem},{path.name}\n" for path in photographs))
        spec = {
            "model": model,
            "upload": client.upload_photo_order(order, photos, model),
            "attributes": {"colour": [*colours], "scene": [*SCENES]},
            "finish": {"size": side},
            "output": {"format": "jpeg"},
        }
        job = client.submit(spec)["id"]
        figures = {"pictures": total, "accepted_s": round(time.monotonic() - begin, 1)}
        for service, share in (("worker-1", 1 / 3), ("broker", 2 / 3)):
            had = wait_for_pictures(client, job, total * share)
            killed = time.monotonic()
            up.wait_replaced(service, up.kill(service))
            wait_for_pictures(client, job, had + CELL)
            figures[f"{service}_killed_s"] = round(killed - begin, 1)
            figures[f"{service}_next_pictures_s"] = round(time.monotonic() - killed, 1)
        ended = [event["state"] for event in client.watch(job)][-1]
        figures["whole_s"] = round(time.monotonic() - begin, 1)
        assert ended == "succeeded", client.job(job)
        files = assert_once(up.store, job, total)
        lines = manifest(up.store, job)
        figures["reviewed"] = sum(line.review is not None for line in lines)
        sample = [line for line in lines if line.index // (total // len(photographs)) % 10 == 0]
        export(sample, files, folder / "sample")
        assert verified(folder / "sample", "--photos", photos)
        return figures | {"made_again": len(sample)}


def wait_for_pictures(client: Client, job: str, pictures: float) -> int:
    """Return how many pictures the job has, as soon as it has ``pictures``."""
    while True:
        with suppress(ProdgenError):  # the broker is away
            view = client.job(job)
            if view["done"] >= pictures:
                return int(view["done"])
            assert view["state"] in ("queued", "running"), view
        time.sleep(0.2)


if __name__ == "__main__":
    main()
