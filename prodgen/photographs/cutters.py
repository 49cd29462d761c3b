"""Cutters: find where the product is in a photograph."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from PIL import Image

from prodgen.catalog.photographs.cuts import cut_from_plain, first_cut, guided_cut
from prodgen.catalog.photographs.masks import Mask, Pixels, Plane
from prodgen.errors import ProdgenError

DEFAULT = "u2netp"
_SHA256 = {"u2netp": "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8"}
_FIRST_SIDE = 112  # longer side, in pixels, at which GrabCut works without a network's guidance


class Cutter(Protocol):
    """Finds the product in photographs."""

    name: str

    def cut(self, rgb: Pixels) -> tuple[Mask, Plane]:
        """Return the product's mask in (H, W, 3) bytes, and its probability at each pixel, both (H, W)."""


class GrabCut:
    """Separates the product by colour alone; needs no network."""

    name = "grabcut"

    def cut(self, rgb: Pixels) -> tuple[Mask, Plane]:
        mask = colour_cut(rgb)
        return mask, mask.astype(np.float32)


class NetworkCutter:
    """Asks a segmentation network of the library rembg, and lets GrabCut draw the edge in the photograph."""

    def __init__(self, name: str, session: Any) -> None:
        self.name, self._session = name, session

    def cut(self, rgb: Pixels) -> tuple[Mask, Plane]:
        (found,) = self._session.predict(Image.fromarray(rgb))
        probability = np.asarray(found, np.float32) / np.float32(255)
        return guided_cut(rgb, probability), probability


def colour_cut(rgb: Pixels) -> Mask:
    """Return the product's mask in (H, W, 3) bytes by colour: from a plain ground, else by GrabCut."""
    plain = cut_from_plain(rgb)
    if plain is not None:
        return plain
    scale = _FIRST_SIDE / max(rgb.shape)
    size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
    small = first_cut(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
    large = cv2.resize(small.astype(np.float32), rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return large > 0.5


def load_cutter(name: str | None = None, weights: Path | None = None) -> Cutter:
    """Return the cutter ``name``: grabcut, or a network that rembg knows, such as u2netp.

    ``weights`` is a folder with the network's file NAME.onnx (default: the folder in U2NET_HOME, else
    ~/.u2net); rembg downloads a file that is not there. Without a name, the cutter is u2netp if rembg is
    installed and the file is there, and grabcut otherwise. Raises ProdgenError for an unknown name, and for a
    file that is broken, or is not there and cannot be downloaded.
    """
    folder = weights or Path(os.environ.get("U2NET_HOME", "~/.u2net")).expanduser()
    new_session = _new_session()
    if name is None:
        name = DEFAULT if new_session and (folder / f"{DEFAULT}.onnx").is_file() else GrabCut.name
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


def _check_digest(file: Path) -> None:
    """Raise ProdgenError if a file whose digest is known is there, but is not the published file."""
    known = _SHA256.get(file.stem)
    if known and file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() != known:
        raise ProdgenError(
            f"{file} is not the published file of {file.stem}; remove it, and it is fetched again",
            param="weights",
        )


def _new_session() -> Callable[..., Any] | None:
    try:
        from rembg import new_session
    except ImportError:
        return None
    return new_session  # type: ignore[no-any-return]
