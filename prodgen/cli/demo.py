"""``prodgen demo``: order images from a stack that starts and stops, and recolour three photographs."""

import json
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image

from prodgen.cli.folders import writing
from prodgen.cli.gateway import download_job, wait_for_job
from prodgen.cli.output import console, remark
from prodgen.cli.progress import ProgressBars
from prodgen.client import Client
from prodgen.embedded.data_folder import DataFolder
from prodgen.embedded.stack import Stack
from prodgen.embedded.supervisor import Supervisor
from prodgen.ports import free_port, is_free

CATEGORIES = ["sneaker", "bag", "dress", "coat"]
ORDER: dict[str, Any] = {
    "model": "fashion-mnist",
    "count": 16,
    "seed": 7,
    "attributes": {"category": CATEGORIES},
}


def demo(
    out: Annotated[Path, typer.Option(help="Folder for data, images and contact sheet.")] = Path("demo"),
) -> None:
    """Start a service, order 64 images, and recolour three photographs."""
    images = out / "images"
    shutil.rmtree(images, ignore_errors=True)
    with writing(images):
        port = 8000 if is_free(8000) else free_port()
        stack = Stack(DataFolder(out / "data"), port, None, workers=1, training_workers=0)
        with running(Supervisor(stack, console.print)) as api_key:
            remark(f"API docs {stack.gateway}/docs   Flower {stack.flower}")
            with Client(stack.gateway, api_key) as gateway:
                job = wait_for_job(gateway, gateway.submit(ORDER), quiet=False)
                download_job(gateway, job, images, quiet=False)
        _draw_sheet(out)
        _draw_photographs(out / "photographs.jpg")
    remark(f"{job['done']} images and their manifest  {images}")
    remark(f"contact sheet                {out / 'sheet.png'}")
    remark(f"photographs, cut out and recoloured  {out / 'photographs.jpg'}")
    remark("All is stopped; `prodgen up` starts a service that stays.")
    if job["state"] != "succeeded":
        raise typer.Exit(1)


@contextmanager
def running(supervisor: Supervisor) -> Iterator[str]:
    """Run all processes of a deployment within the block; yield an API key when they are ready."""
    ready = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        stack = pool.submit(supervisor.run, ready.set)
        stack.add_done_callback(lambda _: ready.set())
        try:
            with ProgressBars(False) as bars:
                bars.report("Starting broker, gateway, workers, beat and Flower", 0, None)
                ready.wait()
            if stack.done():
                stack.result()  # raises the reason
            yield supervisor.folder.secret("api_key")
        finally:
            supervisor.stop.set()


def _draw_sheet(out: Path) -> None:
    from prodgen.generation.sheet import contact_sheet

    lines = [json.loads(text) for text in (out / "images" / "manifest.jsonl").read_text().splitlines()]
    pictures = [Image.open(out / "images" / line["file"]) for line in lines]
    contact_sheet(pictures, [line["attributes"]["category"] for line in lines], 84).save(out / "sheet.png")


def _draw_photographs(path: Path) -> None:
    from prodgen.bundled import bundled_photographs
    from prodgen.photographs.cutters import load_cutter
    from prodgen.photographs.showcase import showcase

    with console.status("Making pictures of three photographs"):
        showcase(bundled_photographs(), load_cutter()).save(path, quality=90)
