"""Requests for images, and their pixels, for tests."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prodgen.generation.encode import decode
from prodgen.generation.forward import Forward
from prodgen.generation.request import Request
from prodgen.models import SavedModel
from prodgen.spec.finish import Finish
from prodgen.spec.order import ImageRequest, resolve_attributes


def images(model: SavedModel, indices: Sequence[int], seed: int = 7, **attributes: str) -> list[ImageRequest]:
    """The resolved images of an order at ``indices``."""
    images = [ImageRequest(k, seed, k, attributes) for k in indices]
    return resolve_attributes(model.config.attributes, images)


def pixels(
    model: SavedModel, asked: Sequence[ImageRequest], finish: Finish | None = None, truncation: float = 1.0
) -> NDArray[np.uint8]:
    """The pixels (N, H, W, C) of the images, made in one batch without an engine."""
    forward = Forward("cpu")
    outputs = forward(model, asked, [truncation] * len(asked))
    return forward.finish(model, outputs, finish or Finish(), asked).numpy()


def request(model: SavedModel, count: int, seed: int = 7, **options: object) -> Request:
    """A request for the first ``count`` images of a seed."""
    return Request(model, images(model, range(count), seed), **options)


def worst(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> int:
    """The greatest difference, in levels of 255."""
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def opened(files: Sequence[bytes]) -> NDArray[np.uint8]:
    """The pixels (N, H, W, C) of the files."""
    return np.stack([decode(file) for file in files])
