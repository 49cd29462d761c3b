"""Make small CIFAR-10 data sets in the formats of the official files."""

import io
import struct
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCHES = (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch")
RECORDS = 4


def batch(number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return random pixels (4, 3072) and labels (4,), different for each ``number``."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(0, 256, (RECORDS, 3072), dtype=np.uint8)
    return pixels, np.array([(number + k) % 10 for k in range(RECORDS)], np.uint8)


def expected(number: int) -> NDArray[np.uint8]:
    """Return the images (4, 32, 32, 3) of a batch, copied plane by plane unlike in the reader."""
    pixels, _ = batch(number)
    images = np.empty((RECORDS, 32, 32, 3), np.uint8)
    for channel in range(3):
        plane = pixels[:, channel * 1024 : (channel + 1) * 1024]
        images[..., channel] = plane.reshape(RECORDS, 32, 32)
    return images


def binary_files() -> dict[str, bytes]:
    """Return the files of the binary version by their names."""
    files = {"batches.meta.txt": ("\n".join(NAMES) + "\n\n").encode()}
    for number, name in enumerate(BATCHES):
        pixels, labels = batch(number)
        files[f"{name}.bin"] = np.hstack([labels[:, None], pixels]).tobytes()
    return files


def python_files() -> dict[str, bytes]:
    """Return the files of the python version by their names: pickles of Python 2 in protocol 2."""
    files = {
        "batches.meta": pickled({b"num_cases_per_batch": 4, b"label_names": [n.encode() for n in NAMES]})
    }
    for number, name in enumerate(BATCHES):
        pixels, labels = batch(number)
        files[name] = pickled({b"batch_label": b"batch", b"labels": labels.tolist(), b"data": pixels})
    return files


def pickled(content: object) -> bytes:
    """Pickle dictionaries, lists, byte strings, small numbers and byte arrays as Python 2 did."""
    return b"\x80\x02" + _opcodes(content) + b"."


def _opcodes(content: object) -> bytes:
    if isinstance(content, dict):
        pairs = b"".join(_opcodes(k) + _opcodes(v) for k, v in content.items())
        return b"}(" + pairs + b"u"
    if isinstance(content, list):
        return b"](" + b"".join(map(_opcodes, content)) + b"e"
    if isinstance(content, bytes):
        return b"T" + struct.pack("<i", len(content)) + content
    if isinstance(content, int):
        return b"J" + struct.pack("<i", content)
    assert isinstance(content, np.ndarray)
    shape = b"".join(map(_opcodes, content.shape))
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    kind = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    return empty + b"(K\x01(" + shape + b"t" + kind + b"\x89" + _opcodes(content.tobytes()) + b"tb"


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    """Write the files into a folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def write_archive(path: Path, folder: str, files: dict[str, bytes]) -> None:
    """Write the files as ``folder``/NAME into a .tar.gz."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
