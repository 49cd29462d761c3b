"""How prodgen takes part in `tests.bench.serving`, and the network that it gives to the peers."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import torch
from torch import Tensor, nn

from prodgen.client import Client
from prodgen.generation.forward import Forward
from prodgen.models import load_model
from prodgen.models.condition import encode as encode_condition
from prodgen.spec.attributes import Choice
from tests.bench.environments import PEERS
from tests.bench.serving_contestants import CORES, Contestant
from tests.bench.serving_load import Meter
from tests.servers.deployment import Deployment
from tests.servers.process import free_port, wait_until
from tests.servers.swift import S3Server
from tests.servers.up import Up, marked
from tests.servers.valkey import ValkeyServer

ROOT = Path(__file__).parents[2]
MODEL = "fashion-mnist"
SETTINGS = {"OMP_NUM_THREADS": "1"}
"""The settings that prodgen gets; all others have their defaults. Other tests set short leases and ticks."""
SLOW = 8
"""Files on the S3 server are measured with the images of the others divided by this: it is that slow."""


class Traced(nn.Module):
    """The generator from latents and categories to bytes (B, H, W, C), without this project's code."""

    conditions: Tensor

    def __init__(self, generator: nn.Module, conditions: Tensor) -> None:
        super().__init__()
        self.generator = generator
        self.register_buffer("conditions", conditions)

    def forward(self, z: Tensor, category: Tensor) -> Tensor:
        """Return the images of latents (B, D) and categories (B,)."""
        x = self.generator(z, self.conditions[category])
        pixels: Tensor = ((x.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        return pixels


def trace(folder: Path) -> dict[str, str]:
    """Tune the network for one core and write it traced. Returns the environment of the peers."""
    torch.set_num_threads(1)
    saved, forward = load_model(MODEL), Forward("cpu")
    forward.tune(saved)
    schema = saved.generator.schema
    [category] = (one for one in schema.attributes if isinstance(one, Choice))
    conditions = encode_condition(schema, [{category.name: value} for value in category.values])
    inputs = torch.randn(2, saved.config.latent_dim), torch.tensor([0, 1])
    with torch.inference_mode():
        network = Traced(saved.generator.eval(), conditions)
        torch.jit.trace(network, inputs).save(str(folder / "model.pt"))  # type: ignore[no-untyped-call]
    return os.environ | {
        "SERVED_MODEL": str(folder / "model.pt"),
        "SERVED_LATENT_DIM": str(saved.config.latent_dim),
        "SERVED_BATCH": str(forward.batch(saved)),
        "SERVED_WORKERS": str(CORES),
        "SERVED_PORT": str(free_port()),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(PEERS))),
        "BENTOML_DO_NOT_TRACK": "True",
    }


def local(stack: ExitStack, folder: Path, images: int) -> Iterator[Contestant]:
    """`prodgen up` with one worker a core and orders of both packagings, then with one worker alone."""
    for workers in {CORES: None, 1: None}:
        up = stack.enter_context(Up(folder / f"up-{workers}", workers=workers, settings=SETTINGS))
        client = stack.enter_context(up.client())
        for packaging in ("tar", "files") if workers == CORES else ("tar",):
            name = f"prodgen, {packaging}, local store, {workers} worker{'s' * (workers > 1)}"
            yield _contestant(name, client, packaging, Meter(up.processes), images)


def on_s3(stack: ExitStack, folder: Path, images: int) -> Iterator[Contestant]:
    """A deployment with an S3 server (OpenStack Swift) on the same cores, and orders of both packagings."""
    valkey, s3 = ValkeyServer(folder / "valkey"), S3Server(folder / "swift")
    for server in (valkey, s3):
        stack.callback(server.kill)
        server.start()
    (folder / "deployment").mkdir()
    deployment = stack.enter_context(Deployment(folder / "deployment", valkey, s3, CORES, SETTINGS))
    client = stack.enter_context(deployment.client())
    meter = Meter(lambda: marked(deployment.mark))
    for packaging, part in (("tar", images), ("files", images // SLOW)):
        yield _contestant(f"prodgen, {packaging}, S3 server, {CORES} workers", client, packaging, meter, part)


def _contestant(name: str, client: Client, packaging: str, meter: Meter, images: int) -> Contestant:
    place = len(name)  # no image of another contestant of the same store may be there already

    def submit(count: int) -> str:
        order = {"model": MODEL, "count": count, "seed": time.time_ns() % 2**31}
        job: str = client.submit({**order, "output": {"packaging": packaging}})["id"]
        return job

    def load(_: int, count: int) -> None:
        for event in client.watch(submit(count)):
            if event["done"] == count:
                break

    def bulk(count: int) -> Callable[[], object]:
        job = submit(count)
        wait_until(lambda: client.job(job)["done"] > 0, "a bulk order does not begin")

        def cancel() -> None:
            assert client.job(job)["state"] == "running", "the bulk order ended too early"
            client.cancel(job)
            time.sleep(2)  # until the leases have ended that workers hold

        return cancel

    load(0, min(images, 1024))
    return Contestant(name, meter, load, lambda index: client.render(MODEL, place, index), images, bulk)
