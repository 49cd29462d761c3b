"""How many images a second one worker makes with a generator that costs nothing, and what each stage costs.

``python -m tests.bench.worker_road [--against REVISION]`` makes orders by the whole way of a worker: lease,
resolve, latents, forward, finish, encode, package, store, manifest, report. It needs no service: it starts a
Redis, and stores in a temporary folder. With ``--against`` it measures this code and that of a git revision
in turns. The free generator, a family that only this program registers, returns pictures of the bundled
`clothing` on white (64 × 64 RGB) that it made beforehand.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workers.generate.device import Device

ROOT = Path(__file__).parents[2]
PICTURES = 128
"""Pictures that the free generator returns again and again; no batch on a CPU is larger."""
STAGE = 2048
"""Images of the measurement of one stage."""
LEASES, LEASE = 2, 4096
"""Bulk leases that a worker makes at once, and the images of each."""


def main() -> None:
    """Measure in turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=32768, help="images of each order")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--against", help="a git revision to compare with")
    parser.add_argument("--format", default="png")
    parser.add_argument("--turn", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turn:
        print(json.dumps(_turn(Path(options.turn), options.images, options.format)))
        return
    with TemporaryDirectory(prefix="worker-road-") as folder:
        trees = {"this code": ROOT}
        if options.against:
            trees[options.against] = _unpack(options.against, Path(folder) / "against")
        made = dict[str, list[dict[str, float]]]({name: [] for name in trees})
        for turn in range(options.turns):
            for number, (name, tree) in enumerate(trees.items()):
                made[name].append(_run(tree, Path(folder) / f"{turn}-{number}", options))
                rate, load = made[name][-1]["whole worker"], os.getloadavg()[0]
                print(f"{name}: {rate:,.0f} images/s, load {load:.1f}", flush=True)
        _print(made)


def _print(made: dict[str, list[dict[str, float]]]) -> None:
    """Print the median of each rate, and the median over the turns of this code's rate by the other's."""
    print(f"{'images a second':36}", *(f"{name:>12}" for name in made))
    mine, *others = made.values()
    for what in mine[0]:
        rates = (f"{median(turn[what] for turn in turns):12,.0f}" for turns in made.values())
        ratios = (
            f"{median(a[what] / b[what] for a, b in zip(mine, turns, strict=True)):8.2f}" for turns in others
        )
        print(f"{what:36}", *rates, *ratios)


def _unpack(revision: str, folder: Path) -> Path:
    folder.mkdir()
    packed = subprocess.run(["git", "-C", ROOT, "archive", revision], check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=packed, check=True)
    return folder


def _run(tree: Path, folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """Run one turn with the code of ``tree``, in a process of its own."""
    command = [sys.executable, "-P", __file__, "--turn", folder, "--format", options.format]
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--images", str(options.images)],
        check=True,
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
    )
    return dict(json.loads(done.stdout))


# What follows runs in the process of a turn, and uses only what both revisions have.


def _turn(folder: Path, images: int, format: str) -> dict[str, float]:
    from tests.servers.valkey import ValkeyServer

    server = ValkeyServer(folder / "valkey")
    server.start()
    os.environ |= {
        "PRODGEN_REDIS_URL": server.url(),
        "PRODGEN_STORE_URL": f"file://{folder / 'store'}",
        "PRODGEN_MODEL_CACHE": str(folder / "models"),
    }
    try:
        return _measure(folder, images, format)
    finally:
        server.kill()


def _measure(folder: Path, images: int, format: str) -> dict[str, float]:
    from prodgen.recovery import ensure
    from prodgen.registry.publish import publish
    from workers.deployment import deployment
    from workers.generate.device import Device

    ensure(deployment().store, deployment().ledger)
    _write_free_model(folder / "free")
    publish(deployment().store, folder / "free", "free", None)
    device = Device(deployment())
    _order(device, 4096, format)  # loads and tunes the model
    cpu = time.process_time()
    rate = _order(device, images, format)
    return {
        "whole worker": rate,
        "whole worker, a core": images / (time.process_time() - cpu),
        **_stages(device, format),
    }


def _order(device: "Device", images: int, format: str) -> float:
    """Make an order as the threads of a worker make it; return images a second."""
    from prodgen.jobs.submission import submit
    from prodgen.spec.order import JobSpec
    from workers.generate.leases import make

    spec = JobSpec(model="free", count=images, output={"format": format, "packaging": "tar"})
    submit(device.store, device.ledger, device.settings, "acme", spec, f"order {time.time_ns()}")

    def work(_: int) -> None:
        while lease := device.ledger.lease("bulk", device.name, LEASE):
            make(device, lease)

    start = time.perf_counter()
    with ThreadPoolExecutor(LEASES) as pool:
        list(pool.map(work, range(LEASES)))
    return images / (time.perf_counter() - start)


def _write_free_model(folder: Path) -> None:
    """Write a model of the free family, whose pictures are those of `clothing`."""
    import torch
    from torch import Tensor

    from prodgen.generation.finish import apply_finish
    from prodgen.generation.forward import Forward
    from prodgen.models import load_model, save_model
    from prodgen.models.base import ImageGenerator
    from prodgen.models.saved import GENERATORS
    from prodgen.spec.attributes import AttributeSchema
    from prodgen.spec.finish import Finish
    from prodgen.spec.order import ImageRequest, resolve_attributes

    class FreeGenerator(ImageGenerator):
        """Returns the first of its pictures (P, 3, 64, 64). Ignores the latents and the conditions."""

        def __init__(self, attributes: AttributeSchema, latent_dim: int, **_: object) -> None:
            super().__init__(attributes, 64, 3, latent_dim, [64])
            self.register_buffer("pictures", torch.zeros(PICTURES, 3, 64, 64))

        def forward(self, latent: Tensor, condition: Tensor) -> Tensor:
            return self.pictures[: len(latent)]

    GENERATORS["free"] = FreeGenerator
    clothing, forward = load_model("clothing"), Forward("cpu")
    wanted = [ImageRequest(k, 0, k, {}) for k in range(PICTURES)]
    images = resolve_attributes(clothing.config.attributes, wanted)
    x = forward(clothing, images, [1.0] * PICTURES)
    numbers = [i.seed for i in images], [i.draw for i in images]
    pixels = apply_finish(x, Finish(background="#ffffff"), clothing.config.ground, *numbers)
    fixed = {"ground": "white", "precision": "fp32", "tolerance": 1, "family": "free", "format": 1}
    fixed |= {"size": 64, "channels": 3, "latent_dim": clothing.config.latent_dim}
    free = FreeGenerator(attributes=clothing.config.attributes, **fixed)
    free.pictures.copy_(pixels.permute(0, 3, 1, 2) / 127.5 - 1.0)
    save_model(free, folder)


def _functions(format: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return what encodes pixels (B, H, W, C) and what packages a lease, in this code or an earlier one."""
    try:
        from prodgen.generation.encode import encode_all
        from workers.generate.packages import as_tar
    except ImportError:
        from prodgen.generation.encode import encode
        from workers.generate.leases import _as_tar

        return lambda pixels: [encode(image, format) for image in pixels], _as_tar
    return lambda pixels: encode_all(pixels, format, [b""] * len(pixels)), as_tar


def _stages(device: "Device", format: str) -> dict[str, float]:
    """Return how many images each stage alone makes in a second of one core, by CPU time."""
    from dataclasses import replace

    from prodgen.generation.encode import encode
    from prodgen.generation.finish import apply_finish
    from prodgen.generation.request import Request, xmp_packets
    from prodgen.photographs.studio import StudioPicture
    from prodgen.spec.finish import Finish
    from prodgen.spec.manifest import write_lines
    from prodgen.spec.order import Expansion, JobSpec, resolve_attributes

    encode_pixels, as_tar = _functions(format)
    (model,) = (loaded.model for loaded in device.models.recent())
    schema, forward = model.config.attributes, device.engine.forward
    expansion = Expansion(JobSpec(model="free", count=1 << 20), None, schema)
    images = resolve_attributes(schema, [expansion[k] for k in range(STAGE)])
    scattered = [replace(image, seed=7919 * image.index) for image in images]
    request, batches = Request(model, images, format=format), range(0, STAGE, PICTURES)
    x = forward(model, images[:PICTURES], [1.0] * PICTURES)
    pixels = apply_finish(x, Finish(), "white", [0] * PICTURES, [0] * PICTURES).numpy()
    files = [
        StudioPicture(encode(p, format, xmp), None)
        for p, xmp in zip(pixels, xmp_packets(request, images[:PICTURES]), strict=True)
    ]
    files *= STAGE // PICTURES
    stages: dict[str, Callable[[], object]] = {
        "resolve": lambda: resolve_attributes(schema, [expansion[k] for k in range(STAGE)]),
        "latents, conditions": lambda: [forward._inputs(model, images[k : k + PICTURES]) for k in batches],
        "the same, each image a seed": lambda: [
            forward._inputs(model, scattered[k : k + PICTURES]) for k in batches
        ],
        "finish": lambda: [forward.finish(model, x, Finish(), images[:PICTURES]) for _ in batches],
        "marks": lambda: [*xmp_packets(request, images)],
        "encode": lambda: [encode_pixels(pixels) for _ in batches],
        "package, manifest": lambda: write_lines(as_tar(lambda *_: None, "f", request, files, False)),
    }
    return {f"{name}, a core": STAGE / _seconds(stage) for name, stage in stages.items()}


def _seconds(stage: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        start = time.thread_time()
        stage()
        times.append(time.thread_time() - start)
    return min(times)


if __name__ == "__main__":
    main()
