"""The files of CIFAR-10's "python version", read without letting them run anything.

They are pickles, and a pickle is a program: unpickled as usual, it may call whatever it names. What these
files hold is plain, however: containers, numbers, texts and one numpy array. So the three names of numpy that
the array needs stand here for two inert classes that only note what they are given, and every other name is
refused. Numpy's own functions are kept out too: they trust the sizes and types that a pickle hands them.
"""

import io
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prodgen.errors import ProdgenError

PIXELS = 3072
"""Bytes of an image: 32 x 32 in red, then in green, then in blue."""

_ARRAY = "numpy.ndarray"


class _Array:
    """What a pickle says of an array: ``state`` is (version, shape, type, is Fortran's order, bytes)."""

    def __init__(self, *_: object) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Type(_Array):
    """What a pickle says of an array's type: ``code`` is b"u1" for bytes."""

    def __init__(self, code: object = None, *_: object) -> None:
        super().__init__()
        self.code = code


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _ARRAY,
    ("numpy", "dtype"): _Type,
}


class _Forbidden(Exception):
    """A pickle asks for a name that no CIFAR-10 file holds."""


class _Reader(pickle._Unpickler):  # the one in Python: eight bytes can have the one in C take 32 GB
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise _Forbidden(f"{module}.{name}")
        return _STAND_INS[module, name]


def read_batch(raw: bytes, where: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The bytes of ``data_batch_1`` and the like -> pixels (N, 3072) and labels (N,)."""
    batch = _read(raw, where)
    pixels, labels = _pixels(batch.get(b"data")), batch.get(b"labels")
    if pixels is None or not isinstance(labels, list) or len(labels) != len(pixels):
        raise ProdgenError(
            f"{where} is not a batch of CIFAR-10: it should hold images of 3,072 bytes and labels"
        )
    if not all(isinstance(label, int) and 0 <= label < 256 for label in labels):
        raise ProdgenError(f"{where} has labels that are no class; they should be whole numbers from 0 on")
    return pixels, np.array(labels, np.uint8)


def read_names(raw: bytes, where: str) -> list[str]:
    """The bytes of ``batches.meta`` -> the names of the classes."""
    names = _read(raw, where).get(b"label_names")
    if not isinstance(names, list) or not all(isinstance(name, bytes) for name in names):
        raise ProdgenError(
            f"{where} is not the description of CIFAR-10: it should hold the names of the classes"
        )
    return [name.decode(errors="replace") for name in names]


def _read(raw: bytes, where: str) -> dict[Any, Any]:
    try:
        content = _Reader(io.BytesIO(raw), encoding="bytes").load()
    except _Forbidden as forbidden:
        raise ProdgenError(
            f"{where} is refused, and nothing of it was run: it asks for {forbidden}, "
            "which no file of CIFAR-10 does"
        ) from None
    except Exception:  # bytes that are no pickle make it raise nearly anything
        raise ProdgenError(f"{where} is not a whole file of CIFAR-10's python version") from None
    if not isinstance(content, dict):
        raise ProdgenError(f"{where} is not a file of CIFAR-10's python version: it should hold a table")
    return content


def _pixels(array: object) -> NDArray[np.uint8] | None:
    match array:
        case _Array(state=(int(), (int(rows), 3072), _Type(code=b"u1"), fortran, bytes(raw))):
            if len(raw) == rows * PIXELS:
                return np.frombuffer(raw, np.uint8).reshape(rows, PIXELS, order="F" if fortran else "C")
    return None
