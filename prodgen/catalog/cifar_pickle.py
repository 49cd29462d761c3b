"""Read the pickles of CIFAR-10's python version without executing any code that they name.

A pickle is a program that may call any importable function. The pickles of CIFAR-10 hold only containers,
numbers, strings and one numpy array. This module therefore maps the numpy names that an array needs to an
inert class that stores its arguments, and refuses every other name. It does not call numpy's own unpickling
functions, because they trust the sizes and types in the pickle.
"""

import io
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prodgen.errors import ProdgenError

PIXELS = 3072
"""Number of bytes of an image: 32 x 32 red values, then as many green and blue values."""


class _StandIn:
    """Inert object that replaces a numpy type or array of a pickle, and stores its contents.

    The arguments of a type are (format, ...). An array's state is (version, shape, type, is Fortran, bytes).
    """

    def __init__(self, *arguments: object) -> None:
        self.arguments, self.state = arguments, None

    def __setstate__(self, state: object) -> None:
        self.state = state


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _StandIn,
    ("numpy", "ndarray"): "numpy.ndarray",
    ("numpy", "dtype"): _StandIn,
}


class _Forbidden(Exception):
    """Raised for a pickle that names a function or class that no file of CIFAR-10 names."""


class _Reader(pickle._Unpickler):  # in Python, as 8 bytes can make the C version take 32 GB
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise _Forbidden(f"{module}.{name}")
        return _STAND_INS[module, name]


def read_batch(raw: bytes, where: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the pixels (N, 3072) and labels (N,) from the bytes of a file such as ``data_batch_1``."""
    batch = _read(raw, where)
    pixels, labels = _pixels(batch.get(b"data")), batch.get(b"labels")
    if pixels is None or not isinstance(labels, list) or len(labels) != len(pixels):
        raise ProdgenError(
            f"{where} is not a batch of CIFAR-10: it should hold images of 3,072 bytes and labels"
        )
    if not all(isinstance(label, int) and 0 <= label < 256 for label in labels):
        raise ProdgenError(f"{where} has invalid labels; they should be whole numbers from 0 to 255")
    return pixels, np.array(labels, np.uint8)


def read_names(raw: bytes, where: str) -> list[str]:
    """Return the names of the classes from the bytes of ``batches.meta``."""
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
            f"{where} is refused, and none of its code was run: it names {forbidden}, "
            "which no file of CIFAR-10 does"
        ) from None
    except Exception:  # unpickling other bytes raises nearly any type
        raise ProdgenError(f"{where} is not a whole file of CIFAR-10's python version") from None
    if not isinstance(content, dict):
        raise ProdgenError(f"{where} is not a file of CIFAR-10's python version: it should hold a dictionary")
    return content


def _pixels(array: object) -> NDArray[np.uint8] | None:
    match array:
        case _StandIn(
            state=(int(), (int(rows), 3072), _StandIn(arguments=(b"u1", *_)), fortran, bytes(raw))
        ) if len(raw) == rows * PIXELS:
            return np.frombuffer(raw, np.uint8).reshape(rows, PIXELS, order="F" if fortran else "C")
    return None
