"""Cutters: guess where the product is in a photograph."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image

from prodgen import files
from prodgen.catalog.photographs.masks import Pixels, Plane
from prodgen.errors import ProdgenError, Unsupported

DEFAULT = "u2netp"
_SHA256 = {"u2netp": "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8"}


class Cutter(Protocol):
    """Guesses where the product is in photographs."""

    name: str

    def probability(self, rgb: Pixels) -> Plane | None:
        """Return the probability of product at each pixel (H, W) of (H, W, 3) bytes, or None for no guess."""


class GrabCut:
    """Makes no guess, so that the product is cut out by its colours alone. Needs no network."""

    name = "grabcut"

    def probability(self, rgb: Pixels) -> None:
        return None


class NetworkCutter:
    """Guesses where the product is with a segmentation network of the library rembg."""

    def __init__(self, name: str, session: Any) -> None:
        self.name, self._session = name, session

    def probability(self, rgb: Pixels) -> Plane:
        (found,) = self._session.predict(Image.fromarray(rgb))
        return np.asarray(found, np.float32) / np.float32(255)


def load_cutter(name: str | None = None, weights: Path | None = None) -> Cutter:
    """Return the cutter ``name``: grabcut, or a network that rembg knows, such as u2netp.

    ``weights`` is a folder with the network's file NAME.onnx (default: the folder in U2NET_HOME, else
    ~/.u2net); rembg downloads a file that is not there. Without a name, the cutter is u2netp if ``weights``
    are given or if rembg is installed and the file is there, and grabcut otherwise. Raises ProdgenError for
    an unknown name, and for a file that is broken, or is not there and cannot be downloaded.
    """
    folder = _folder(weights)
    new_session = _new_session()
    if name is None:
        is_there = new_session is not None and (folder / f"{DEFAULT}.onnx").is_file()
        name = DEFAULT if weights or is_there else GrabCut.name
    if name == GrabCut.name:
        return GrabCut()
    if new_session is None:
        raise ProdgenError(f"the cutter {name} needs rembg: pip install 'prodgen[cutouts]'", param="cutter")
    file = folder / f"{name}.onnx"
    _check_digest(file)
    os.environ["U2NET_HOME"] = str(folder)  # rembg looks for files there
    try:
        return NetworkCutter(name, new_session(name))
    except ValueError:
        raise ProdgenError(
            f"no cutter is named {name!r}; write grabcut, u2netp or the name of another network of rembg",
            param="cutter",
        ) from None
    except Exception as error:  # of the download, or of onnxruntime for a file that it cannot read
        reason = str(error).splitlines()[0]
        raise ProdgenError(f"the cutter {name} needs the file {file}: {reason}", param="weights") from None


def check_weights(name: str, sha256: str, weights: Path | None = None) -> None:
    """Raise Unsupported unless rembg is installed and the network's file has the digest ``sha256``.

    Customers of a service read the message, so it names no path.
    """
    file = _folder(weights) / f"{name}.onnx"
    if _new_session() is None:
        raise Unsupported(f"the cutter {name} needs rembg: pip install 'prodgen[cutouts]'", param="cutter")
    if not file.is_file():
        raise Unsupported(
            f"the cutter {name} needs the file {file.name}, in the folder that U2NET_HOME or --weights names",
            param="weights",
        )
    if (found := files.sha256(file)) != sha256:
        raise Unsupported(
            f"{file.name} has the digest {found[:12]}, not {sha256[:12]}; put the published file there",
            param="weights",
        )


def _folder(weights: Path | None) -> Path:
    return weights or Path(os.environ.get("U2NET_HOME", "~/.u2net")).expanduser()


def _check_digest(file: Path) -> None:
    """Raise ProdgenError if a file exists, its published digest is known, and its own digest differs."""
    known = _SHA256.get(file.stem)
    if known and file.is_file() and files.sha256(file) != known:
        raise ProdgenError(
            f"{file} is not the published file of {file.stem}; remove it, and it is fetched again",
            param="weights",
        )


def _new_session() -> Callable[..., Any] | None:
    """Return rembg's function that loads a network, or None if rembg is not installed."""
    threads = torch.get_num_threads()
    try:
        from rembg import new_session
    except ImportError:
        return None
    finally:  # rembg imports pymatting, which sets OpenMP's number of threads to that of the cores
        torch.set_num_threads(threads)
    return new_session  # type: ignore[no-any-return]
