"""From an image that was made to the line that says how."""

import hashlib
from typing import Any

from prodgen.generation.engine import Request
from prodgen.spec.finish import file_name
from prodgen.spec.image import ImageRequest
from prodgen.spec.manifest import ManifestLine


def describe(request: Request, image: ImageRequest, data: bytes, **where: Any) -> ManifestLine:
    """The manifest line of one file of ``request``; ``where`` gives its object, offset and length, if any."""
    return ManifestLine.model_validate(
        {
            "index": image.index,
            "sku": image.sku,
            "seed": image.seed,
            "draw": image.draw,
            "attempt": image.attempt,
            "attributes": image.attributes,
            "model": request.model.ref,
            "truncation": request.truncation,
            "finish": request.finish,
            "format": request.format,
            "precision": request.model.config.precision,
            "file": file_name(image.index, request.format, image.sku, image.repeat),
            "sha256": hashlib.sha256(data).hexdigest(),
            **where,
        }
    )
