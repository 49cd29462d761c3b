"""Describe a generated image by a line of the manifest."""

import hashlib
from typing import Any

from prodgen.generation.request import Request
from prodgen.spec.finish import file_name
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.order import ImageRequest


def manifest_line(request: Request, image: ImageRequest, data: bytes, **where: Any) -> ManifestLine:
    """Return an image's manifest line. ``data``: its file; ``where``: object, offset, length in a store."""
    return ManifestLine.model_validate(
        {
            "index": image.index,
            "sku": image.sku,
            "seed": image.seed,
            "draw": image.draw,
            "attempt": image.attempt,
            "attributes": image.attributes,
            "model": request.model.id,
            "truncation": request.truncation,
            "finish": request.finish,
            "format": request.format,
            "precision": request.model.config.precision,
            "file": file_name(image.index, request.format, image.sku, image.repeat),
            "sha256": hashlib.sha256(data).hexdigest(),
            **where,
        }
    )
