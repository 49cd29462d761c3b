"""Download a job's images into a folder."""

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from prodgen.client.transport import Transport
from prodgen.errors import ProdgenError
from prodgen.spec.manifest import ManifestLine, check_same_images

PAGE = 1000
"""Number of images whose links one request fetches."""
_THREADS = 8

Images = Iterator[dict[str, Any]]


def download(transport: Transport, images: Callable[[], Images], folder: Path) -> Images:
    """Download images to ``folder`` and write their manifest.jsonl; yield each image when its file is there.

    Each call of ``images`` lists all images from the first. A file that is already complete is not downloaded
    again. Raises ProdgenError if the downloaded bytes of an image differ from its recorded digest, and
    Conflict if the folder holds the images of another request.
    """
    check_same_images(folder, map(_line, images()))
    with (folder / "manifest.jsonl").open("w") as manifest, ThreadPoolExecutor(_THREADS) as pool:
        rows = images()
        while batch := list(islice(rows, PAGE)):
            for image in pool.map(lambda row: _fetch(transport, row, folder), batch):
                manifest.write(json.dumps({k: v for k, v in image.items() if k != "url"}) + "\n")
                yield image


def _fetch(transport: Transport, image: dict[str, Any], folder: Path) -> dict[str, Any]:
    path = folder / Path(image["file"]).name
    if path.is_file() and _digest(path.read_bytes()) == image["sha256"]:
        return image
    content = transport.download(image["url"], image["file"])
    if _digest(content) != image["sha256"]:
        raise ProdgenError(f"{image['file']} came with other bytes than were recorded")
    path.write_bytes(content)
    return image


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _line(image: dict[str, Any]) -> ManifestLine:
    return ManifestLine.model_validate({k: v for k, v in image.items() if k in ManifestLine.model_fields})
