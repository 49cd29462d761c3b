"""``prodgen bench``: compare the speed of whole orders with the speed of the network alone."""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer

from prodgen.cli.demo import running
from prodgen.cli.options import Json
from prodgen.cli.output import console, print_json, print_table, results
from prodgen.client import Client
from prodgen.embedded.data_folder import DataFolder
from prodgen.embedded.stack import Stack
from prodgen.embedded.supervisor import Supervisor
from prodgen.ports import free_port

if TYPE_CHECKING:
    from prodgen.generation.engine import Engine
    from prodgen.generation.request import Request
    from prodgen.models import SavedModel

ROUNDS = 3


def bench(
    model: Annotated[str, typer.Argument(help="Bundled model.")] = "fashion-mnist",
    images: Annotated[int, typer.Option(help="Images of each measurement.", min=256)] = 8192,
    json: Json = False,
) -> None:
    """Measure images a second: network, engine and whole orders."""
    from prodgen.generation.engine import Engine
    from prodgen.models import load_model

    with Engine() as engine:
        saved = load_model(model, device=engine.device)
        engine.forward.tune(saved)
        batch = engine.forward.batch(saved)
        # Measured in turn, round by round: a machine that slows down slows all measurements.
        with tempfile.TemporaryDirectory(prefix="prodgen-bench-") as folder:
            stack = Stack(DataFolder(Path(folder)), free_port(), None, workers=1, training_workers=0)
            with running(Supervisor(stack, console.print)) as key, Client(stack.gateway, key) as gateway:
                order(gateway, saved, 512)
                rounds = [
                    {
                        "bare": engine.forward.rate(saved, batch, images / 1000),
                        "engine": _engine(engine, saved, images),
                        "end_to_end": order(gateway, saved, images),
                        "encoding": _encoding(engine, saved, images),
                    }
                    for _ in range(ROUNDS)
                ]
    rates = {name: median(r[name] for r in rounds) for name in rounds[0]}
    ratios = {name: median(r[name] / r["bare"] for r in rounds) for name in rates}
    if json:
        measured_on = {"model": saved.id, "device": engine.device, "batch": batch}
        print_json({**measured_on, "rates": rates, "ratios": ratios})
        return
    results.print(f"{saved.id}, {engine.device}, batch {batch}", markup=False)
    measured = {
        "bare": "bare forward loop, tuned",
        "engine": "engine: latents, forward, finish, encode",
        "end_to_end": "end to end: POST to the last object",
        "encoding": "limit that encoding alone sets",
    }
    rows = (
        {"what": words, "images/s": f"{rates[name]:,.0f}", "of the bare loop": f"{ratios[name]:.2f}"}
        for name, words in measured.items()
    )
    print_table(rows, "what", "images/s", "of the bare loop")


def order(gateway: Client, model: "SavedModel", images: int) -> float:
    """Order ``images`` images; return the images per second from the POST until all of them are stored."""
    start = time.perf_counter()
    job = gateway.submit({"model": model.id, "count": images, "output": {"packaging": "tar"}})
    for event in gateway.watch(job["id"]):
        if event["done"] == images:
            break
    return images / (time.perf_counter() - start)


def _engine(engine: "Engine", model: "SavedModel", images: int) -> float:
    start = time.perf_counter()
    for _ in engine.submit(_request(model, images)):
        pass
    return images / (time.perf_counter() - start)


def _request(model: "SavedModel", images: int) -> "Request":
    from prodgen.generation.request import Request
    from prodgen.spec.order import ImageRequest, resolve_attributes

    wanted = [ImageRequest(k, 0, k, {}) for k in range(images)]
    return Request(model, resolve_attributes(model.config.attributes, wanted))


def _encoding(engine: "Engine", model: "SavedModel", images: int) -> float:
    import numpy as np

    from prodgen.generation.encode import decode, encode_all
    from prodgen.generation.engine import ENCODERS
    from prodgen.generation.request import xmp_packets

    request = _request(model, 64)
    pixels = np.stack([decode(data) for data in engine.submit(request)])

    def encode_chunk(_: int) -> None:
        encode_all(pixels, request.format, [*xmp_packets(request, request.images)])

    start = time.perf_counter()
    with ThreadPoolExecutor(ENCODERS) as pool:
        runs = images // len(pixels)
        list(pool.map(encode_chunk, range(runs)))
    return runs * len(pixels) / (time.perf_counter() - start)
