"""CIFAR-10 in small, in the very formats of the official files."""

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
    """Pixels (4, 3072) and labels (4,) of the batch of that number, all different."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(0, 256, (RECORDS, 3072), dtype=np.uint8)
    return pixels, np.array([(number + k) % 10 for k in range(RECORDS)], np.uint8)


def expected(number: int) -> NDArray[np.uint8]:
    """The images (4, 32, 32, 3) of a batch, told apart from the reader's way: plane by plane."""
    pixels, _ = batch(number)
    images = np.empty((RECORDS, 32, 32, 3), np.uint8)
    for channel in range(3):
        plane = pixels[:, channel * 1024 : (channel + 1) * 1024]
        images[..., channel] = plane.reshape(RECORDS, 32, 32)
    return images


def binary_files() -> dict[str, bytes]:
    """The files of the binary version."""
    files = {"batches.meta.txt": ("\n".join(NAMES) + "\n\n").encode()}
    for number, name in enumerate(BATCHES):
        pixels, labels = batch(number)
        files[f"{name}.bin"] = np.hstack([labels[:, None], pixels]).tobytes()
    return files


def python_files() -> dict[str, bytes]:
    """The files of the python version: pickles as Python 2 wrote them, in protocol 2."""
    files = {
        "batches.meta": pickled({b"num_cases_per_batch": 4, b"label_names": [n.encode() for n in NAMES]})
    }
    for number, name in enumerate(BATCHES):
        pixels, labels = batch(number)
        files[name] = pickled({b"batch_label": b"batch", b"labels": labels.tolist(), b"data": pixels})
    return files


def pickled(content: object) -> bytes:
    """What Python 2 made of dictionaries, lists, byte strings, small numbers and one byte array."""
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
    """The files, unpacked."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def write_archive(path: Path, folder: str, files: dict[str, bytes]) -> None:
    """The files in their folder in a .tar.gz."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
