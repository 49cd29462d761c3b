"""A small folder of each kind of data set; most also hold files that are no part of it."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests.catalog.cifar_files import binary_files, python_files, write_archive, write_files
from tests.toys import write_catalogue


def pictures(folder: Path, count: int = 6) -> Path:
    """Write photographs by split and category."""
    rng = np.random.default_rng(count)
    for split in ("train", "test"):
        for category in ("bag", "schuh größe 40"):
            place = folder / split / category
            place.mkdir(parents=True)
            for k in range(count):
                pixels = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{k}.png")
            (place / ".DS_Store").write_bytes(b"x")
            (place / "notes.txt").write_text("not a picture")
    return folder


def table(folder: Path) -> Path:
    """Write photographs with an attributes.csv that does not name all of them."""
    folder.mkdir()
    for k in range(5):
        Image.new("RGB", (20, 30), (40 * k, 0, 0)).save(folder / f"{k}.png")
    (folder / "attributes.csv").write_text("file,colour\n3.png,red\n0.png,red\n2.png,\n./1.png,\n")
    return folder


def fashion(folder: Path) -> Path:
    """Write IDX files whose labels mean clothes because of the folder's name."""
    write_catalogue(folder / "my-fashion", count=20)
    (folder / "my-fashion" / "README.md").write_text("mine")
    return folder / "my-fashion"


def named(folder: Path) -> Path:
    """Write IDX files with a names.txt."""
    write_catalogue(folder, count=20)
    (folder / "names.txt").write_text("\n".join(f"kind {k}" for k in range(10)))
    return folder


def cifar(folder: Path) -> Path:
    """Write CIFAR-10 unpacked in its own folder."""
    write_files(folder / "cifar-10-batches-bin", binary_files())
    (folder / "cifar-10-batches-bin" / "readme.html").write_text("<html>")
    return folder


def archive(folder: Path) -> Path:
    """Write CIFAR-10 as it is downloaded."""
    folder.mkdir()
    write_archive(folder / "cifar-10-python.tar.gz", "cifar-10-batches-py", python_files())
    return folder


def prepared(folder: Path) -> Path:
    """Write cut-outs with a colour and a category."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    catalogue = {"kind": "prepared", "format": 1, "size": 16, "attributes": {"category": ["bag", "shoe"]}}
    catalogue["splits"] = {"train": 8, "validation": 0, "test": 4}
    (folder / "catalogue.json").write_text(json.dumps(catalogue))
    for split, count in catalogue["splits"].items():
        np.save(folder / f"{split}.npy", rng.integers(0, 256, (count, 16, 16, 4), dtype=np.uint8))
        rows = [{"category": ("bag", "shoe", None)[k % 3], "colour": [50, k, -k]} for k in range(count)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "preview.png").write_bytes(b"x")
    return folder


KINDS = {f.__name__: f for f in (pictures, table, fashion, named, cifar, archive, prepared)}

FILES = {
    "pictures": {
        f"{s}/{c}/{k}.png" for s in ("train", "test") for c in ("bag", "schuh größe 40") for k in range(6)
    },
    "table": {"attributes.csv", *(f"{k}.png" for k in range(4))},
    "fashion": {
        "names.txt",
        *(f"{p}-{e}" for p in ("train", "t10k") for e in ("images-idx3-ubyte", "labels-idx1-ubyte.gz")),
    },
    "cifar": {f"cifar-10-batches-bin/{name}" for name in binary_files()},
    "archive": {"cifar-10-python.tar.gz"},
    "prepared": {"catalogue.json", "train.npy", "train.jsonl", "test.npy", "test.jsonl"},
}  # fmt: skip
FILES["named"] = FILES["fashion"]
"""The files of each kind that training reads."""
