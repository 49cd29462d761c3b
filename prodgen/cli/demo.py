"""``prodgen demo``: the whole road, once, from an order to images in a folder."""

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image

from prodgen.cli.generate import make_folder
from prodgen.cli.remote import console, fetch, follow
from prodgen.client import Client
from prodgen.embedded.data_folder import DataFolder
from prodgen.embedded.stack import Stack
from prodgen.embedded.supervisor import Supervisor
from prodgen.errors import Unavailable
from prodgen.ports import free_port, is_free

CATEGORIES = ["sneaker", "bag", "dress", "coat"]
EACH = 16


def demo(
    out: Annotated[Path, typer.Option(help="The folder for everything it makes.")] = Path("demo"),
) -> None:
    """Start the stack, order 64 images in four categories through the queue, fetch them, stop it all."""
    images = out / "images"
    shutil.rmtree(images, ignore_errors=True)
    make_folder(images)
    stack = Stack(
        DataFolder(out / "data"), 8000 if is_free(8000) else free_port(), None, workers=1, training_workers=0
    )
    with running(Supervisor(stack, console.print)) as api_key:
        console.print(f"API docs {stack.gateway}/docs   Flower {stack.flower}")
        with Client(stack.gateway, api_key) as gateway:
            job = gateway.submit(_order())
            job = follow(gateway, job, quiet=False)
            fetch(gateway, job, images, quiet=False)
    _sheet(out)
    console.print(f"{job['done']} images and their manifest  {images}")
    console.print(f"contact sheet                {out / 'sheet.png'}")
    console.print("All is stopped; `prodgen up` starts it for good.")
    if job["state"] != "succeeded":
        raise typer.Exit(1)


def _order() -> dict[str, Any]:
    attributes = {"category": CATEGORIES}
    return {"model": "fashion-mnist", "count": EACH, "seed": 7, "attributes": attributes}


@contextmanager
def running(supervisor: Supervisor) -> Iterator[str]:
    """The stack runs until the end of the block -> its API key."""
    ready, failures = threading.Event(), []

    def run() -> None:
        try:
            supervisor.run(ready.set)
        except Unavailable as error:
            failures.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="stack")
    thread.start()
    try:
        with console.status("Starting broker, gateway, worker, beat and Flower"):
            ready.wait()
        if failures:
            raise failures[0]
        yield supervisor.folder.secret("api_key")
    finally:
        with console.status("Stopping"):
            supervisor.stop.set()
            thread.join()


def _sheet(out: Path) -> None:
    from prodgen.generation.sheet import contact_sheet

    lines = [json.loads(text) for text in (out / "images" / "manifest.jsonl").read_text().splitlines()]
    pictures = [Image.open(out / "images" / line["file"]) for line in lines]
    contact_sheet(pictures, [line["attributes"]["category"] for line in lines], 84).save(out / "sheet.png")
