"""How fast photographs become catalogue pictures, the share of each stage, and what the command adds.

    python -m tests.bench.photographs --sides 1024 2000 --colours 8 [--most 1] [--weights FOLDER] [FILE ...]

Without photographs, those that come with the package are enlarged to each side; ``--most`` takes only the
first. All times are seconds of processor time, which other work on the machine hardly changes: set
OMP_NUM_THREADS=1, because threads that wait for each other also use the processor. The stages are measured
in this process, for each colour in three scenes, and then `prodgen edit` makes the same pictures from files
(`command_seconds`, with its start). With ``--weights``, the cutter is u2netp, and rembg's own `remove`, which
only cuts out, and its command are measured on the same photographs. The command needs ``rembg[cli]``; without
it, its time is null.

    python -m tests.bench.photographs --order 300 --sides 256 [--weights FOLDER] PHOTOGRAPH ...

orders 300 of the photographs, in each colour and in two scenes, from ``prodgen up``, and kills the worker and
the broker in the middle (`killed_order`).
"""

import argparse
import io
import json
import os
import random
import resource
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

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
from prodgen.photographs.product import Product
from prodgen.spec.order import CELL
from tests.faults.whole import assert_once, export, manifest, verified
from tests.servers.up import Up

COLOURS = ("crimson", "navy", "#3f8f5b", "#e3c04a", "#e7a6b8", "grey", "white", "black")
SCENES = ("studio", "floor")
THREE = ("white", *SCENES)
T = TypeVar("T")


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
    parser.add_argument("--sides", type=int, nargs="+", default=[1024, 2000])
    parser.add_argument("--colours", type=int, default=8)
    parser.add_argument("--most", type=int, help="largest number of photographs")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--order", type=int, metavar="COUNT")
    asked = parser.parse_args()
    colours = COLOURS[: asked.colours]
    if asked.order:
        chosen = random.Random(0).sample(asked.photographs, asked.order)
        print(json.dumps(killed_order(chosen, colours, asked.sides[0], asked.weights), indent=2))
        return
    for side in asked.sides:
        paths = (asked.photographs or bundled_photographs())[: asked.most]
        figures = measured(paths, side, colours, asked.weights)
        print(json.dumps(figures, indent=2), flush=True)


def measured(
    paths: list[Path], side: int, colours: tuple[str, ...], weights: Path | None
) -> dict[str, object]:
    """Return the figures for pictures of ``side`` x ``side`` pixels from photographs as long."""
    cutter, seconds = load_cutter("u2netp" if weights else "grabcut", weights), defaultdict[str, float](float)
    cut_out(enlarged(paths[0], 400), cutter)  # the first call loads libraries
    edit = making.Edit(colours, THREE, side, side)
    with TemporaryDirectory() as name:
        folder = Path(name) / "photographs"
        folder.mkdir()
        for path in paths:
            Image.fromarray(enlarged(path, side).rgb).save(folder / f"{path.stem}.jpg", quality=95)
        pictures = 0
        with timed(making, "encode", seconds), timed(Product, "picture", seconds):
            for path in sorted(folder.iterdir()):
                photograph = stage("decode", decode, seconds)(path, side)
                cut = stage("cut out", cut_out, seconds)(photograph, cutter)
                stage("region", lambda: cut.region, seconds)()  # noqa: B023 -- called at once
                made = partial(making.make_pictures, photograph, "", cut, cutter.name, edit)
                pictures += stage("place", lambda: len(list(made())), seconds)()  # noqa: B023
        seconds["place"] -= seconds["encode"] + seconds["picture"]
        bare = sum(seconds.values())
        figures = {
            "cutter": cutter.name,
            "side": side,
            "threads": torch.get_num_threads(),
            "pictures": pictures,
            "pictures_per_minute": round(60 * pictures / bare, 1),
            "share": {name: round(value / bare, 3) for name, value in seconds.items()},
            "cost_in_cut_outs": round(bare / seconds["cut out"], 2),
            "cost_in_cut_outs_without_encoding": round((bare - seconds["encode"]) / seconds["cut out"], 2),
        }
        options = ["--attr", "colour=" + "|".join(colours), "--size", side, "--force"]
        options += [word for scene in THREE for word in ("--scene", scene)]
        chosen = ["--cutter", cutter.name, *(["--weights", str(weights)] if weights else [])]
        command = run("prodgen", "edit", folder, *options, *chosen, "--out", Path(name) / "made")
        figures |= {"command_seconds": command, "bare_against_command": round(bare / command, 2)}
        return figures | (against_rembg(folder, seconds["cut out"], weights) if weights else {})


def stage(name: str, call: Callable[..., T], seconds: defaultdict[str, float]) -> Callable[..., T]:
    """Return a function that does what ``call`` does, and adds its processor time to that of a stage."""

    def timed_call(*args: Any, **options: Any) -> T:
        begin = time.process_time()
        try:
            return call(*args, **options)
        finally:
            seconds[name] += time.process_time() - begin

    return timed_call


@contextmanager
def timed(owner: Any, name: str, seconds: defaultdict[str, float]) -> Iterator[None]:
    """Within the block, measure the function ``name`` of a module or a class as a stage."""
    call = getattr(owner, name)
    setattr(owner, name, stage(name, call, seconds))
    yield
    setattr(owner, name, call)


def run(*command: object) -> float:
    """Run a command, and return the seconds of processor time that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2)


def against_rembg(folder: Path, ours: float, weights: Path) -> dict[str, float | None]:
    """Return the seconds that rembg needs to cut the photographs out, and our seconds divided by these."""
    from rembg import new_session, remove

    os.environ["U2NET_HOME"] = str(weights)  # otherwise rembg would download the network
    session = new_session("u2netp")
    begin = time.process_time()
    for path in sorted(folder.iterdir()):
        remove(Image.open(path), session=session).save(io.BytesIO(), "PNG")
    theirs = time.process_time() - begin
    installed = all(map(find_spec, ("filetype", "watchdog", "aiohttp", "asyncer")))  # of rembg[cli]
    command = run("rembg", "p", "-m", "u2netp", folder, folder.with_name("cut")) if installed else None
    return {
        "rembg_seconds": round(theirs, 2),
        "cut_out_against_rembg": round(ours / theirs, 2),
        "rembg_command_seconds": command,
    }


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
