"""Download a job's images into a folder, or as one tar."""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from prodgen.client.transport import Transport
from prodgen.errors import ProdgenError
from prodgen.files import replacing, sha256
from prodgen.spec.describe import LANGUAGES, Description, describe_line
from prodgen.spec.finish import safe_name
from prodgen.spec.manifest import ManifestLine, check_same_images
from prodgen.spec.merkle import MerkleTree, leaf

PAGE = 1000
"""Number of images whose links one request fetches."""
COLUMNS = ("file", "index", "sku", "seed", "draw", "attempt", "model", "sha256")
"""The first columns of manifest.csv. After them come `PHOTO_COLUMNS`, the attributes, and `TEXTS`."""
PHOTO_COLUMNS = ("photo", "review", "findings")
"""Columns of manifest.csv after `COLUMNS`, if the images are pictures of photographs."""
TEXTS = tuple(f"{text}_{language}" for language in LANGUAGES for text in Description.model_fields)
"""The last columns of manifest.csv: title, alt text and file name, in English and in Chinese."""
REVIEW = "review"
"""The folder for pictures that a person should check before their use."""
_THREADS = 8

Images = Iterator[dict[str, Any]]


def download(
    transport: Transport, images: Callable[[], Images], folder: Path, by_sku: bool, root: str | None = None
) -> Images:
    """Download images to ``folder`` and write their manifests; yield each image when its file is there.

    The folder gets manifest.jsonl and, for spreadsheets, manifest.csv. With ``by_sku`` the images of each SKU
    have a folder of their own, named by the SKU. Pictures that a person should check go to the folder
    `REVIEW` instead. ``images()`` is called twice and must yield all images each time. A complete file is not
    downloaded again.

    Raises Conflict if ``folder`` holds other images, and ProdgenError if the bytes of an image do not fit its
    digest or, at the end, if all images together do not fit the Merkle root ``root``.
    """
    check_same_images(folder, (line_of(_placed(row, by_sku)) for row in images()))
    tree = MerkleTree()
    with (
        (folder / "manifest.jsonl").open("w") as manifest,
        (folder / "manifest.csv").open("w", encoding="utf-8-sig", newline="") as table,
        ThreadPoolExecutor(_THREADS) as pool,
    ):
        rows, writer, names = (_placed(row, by_sku) for row in images()), csv.writer(table), list[str]()
        while batch := list(islice(rows, PAGE)):
            for image in pool.map(lambda row: _fetch(transport, row, folder), batch):
                manifest.write(_manifest_row(image) + "\n")
                tree.add(leaf(line_of(image)))
                if image.get("deleted"):
                    continue
                attributes = image["attributes"]
                if not names:
                    names = [*COLUMNS, *(PHOTO_COLUMNS if image.get("photo") else ()), *attributes]
                    writer.writerow([*names, *TEXTS])
                row = {**attributes, **image, "findings": "; ".join(image.get("findings") or ())}
                writer.writerow([*(row.get(name) for name in names), *_texts(image)])
                yield image
    if root and tree.root() != root:
        raise ProdgenError("the images are not those that were recorded at the job's end; tell the operator")


def _texts(image: dict[str, Any]) -> Iterator[str]:
    """Yield the title, alt text and file name of an image in each language, in the order of `TEXTS`."""
    line = line_of(image)
    for language in LANGUAGES:
        yield from describe_line(line, language).model_dump().values()


def download_sheets(transport: Transport, job: str, images: Callable[[], Images], folder: Path) -> Images:
    """Download the sprite sheets and atlases of a job to ``folder``, and write manifest.jsonl.

    Yields each image after the download of its sheet. Raises Conflict if the folder holds other images.
    """
    sheets = [sheet["name"] for sheet in transport.pages(f"/v1/jobs/{job}/sheets", PAGE)]
    frames: dict[str, tuple[str, list[int]]] = {}
    atlases = {
        name: transport.request("GET", f"/v1/jobs/{job}/sheets/{name}.json").content for name in sheets
    }
    for name, atlas in atlases.items():
        for file, entry in json.loads(atlas)["frames"].items():
            frames[file] = (f"{name}.png", [entry["frame"][side] for side in "xywh"])

    def placed(row: dict[str, Any]) -> dict[str, Any]:
        file, frame = frames[row["file"]]
        return {**row, "file": file, "frame": frame}

    check_same_images(folder, (line_of(placed(row)) for row in images()))
    with (folder / "manifest.jsonl").open("w") as manifest:
        for file, group in groupby(map(placed, images()), lambda row: row["file"]):
            name, png = Path(file).stem, transport.request("GET", f"/v1/jobs/{job}/sheets/{file}").content
            for path, data in ((folder / file, png), (folder / f"{name}.json", atlases[name])):
                with replacing(path) as partial:
                    partial.write_bytes(data)
            digest = hashlib.sha256(png).hexdigest()
            for row in group:
                image = {**row, "sha256": digest}
                manifest.write(line_of(image).to_json() + "\n")
                yield image


def _manifest_row(image: dict[str, Any]) -> str:
    left_out = ("url", *(() if image.get("photo") else PHOTO_COLUMNS))
    return json.dumps({name: value for name, value in image.items() if name not in left_out})


def _placed(image: dict[str, Any], by_sku: bool) -> dict[str, Any]:
    """Return a copy of an image with ``file`` changed to the path in the download's folder."""
    name = Path(image["file"]).name
    if image.get("review"):
        return {**image, "file": f"{REVIEW}/{name}"}
    sku = image.get("sku") if by_sku else None
    return {**image, "file": f"{safe_name(sku)}/{name}" if sku else name}


def download_archive(
    transport: Transport, job: str, path: Path, newest: bool = False
) -> Iterator[tuple[int, int]]:
    """Download the archive of an ended job to ``path``; yield the number of bytes so far, and of all bytes.

    Writes the bytes to ``PATH.NAME.part`` first, and renames this file at the end. NAME is a part of the
    job's Merkle root, with the number of deleted images; with ``newest`` it is the archive's ETag. A later
    call continues the ``.part`` file, unless a retry, a rejection or a deletion has changed NAME.
    """
    address, tag = f"/v1/jobs/{job}/archive", None
    if newest:
        address += "?newest=true"
        tag = transport.request("GET", address, headers={"Range": "bytes=0-0"}).headers["ETag"]
    if tag:
        name = tag.strip('"')
    else:
        found = transport.json("GET", f"/v1/jobs/{job}")
        name = (found.get("root") or job)[:24] + (f"-{found['deleted']}" if found.get("deleted") else "")
    partial = path.with_name(f"{path.name}.{name}.part")
    try:
        with partial.open("ab") as file:
            for size, data in transport.read_from(address, file.tell(), tag=tag):
                file.write(data)
                yield file.tell(), size
        partial.replace(path)
    finally:
        if partial.exists() and not partial.stat().st_size:
            partial.unlink()


def _fetch(transport: Transport, image: dict[str, Any], folder: Path) -> dict[str, Any]:
    path = folder / image["file"]
    if image.get("deleted"):
        return image
    if path.is_file() and sha256(path) == image["sha256"]:
        return image
    content = transport.download(image["url"], image["file"], image["sha256"])
    with replacing(path) as partial:
        partial.write_bytes(content)
    return image


def line_of(image: dict[str, Any]) -> ManifestLine:
    """Convert an image from the gateway's list of images to a manifest line."""
    return ManifestLine.model_validate({k: v for k, v in image.items() if k in ManifestLine.model_fields})
