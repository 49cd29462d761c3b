"""Finds the latent by which a model redraws an uploaded picture, once for all images that start from it."""

import threading
from functools import cache

from pydantic import ValidationError

from prodgen.errors import NotFound, ProdgenError, Unavailable, Unsupported
from prodgen.models import SavedModel
from prodgen.photographs.cutters import load_cutter
from prodgen.photographs.redraw import redraw
from prodgen.spec.order import ImageRequest
from prodgen.spec.redrawing import Found, Picture, Start
from prodgen.storage import keys
from prodgen.storage.base import Store, exists
from workers.generate.device import Device, Held

_cutter = cache(load_cutter)
_one_at_a_time = threading.Lock()


def found_for(
    device: Device, tenant: str, model: SavedModel, picture: Picture, place: tuple[int, int]
) -> Found:
    """Return what the model found for a picture, such as its latent. ``place``: where the search starts.

    Reads the result from the store, or else searches for it now and stores it. So every worker begins with
    the same latent when a client changes a formula step by step. Raises ProdgenError if the picture is no
    longer uploaded or shows no product.
    """
    upload = keys.upload(tenant, picture.sha256)
    key = keys.found(tenant, model.digest, picture.sha256, picture.start_digest(*place))
    if found := _stored(device.store, key):
        return found
    with _one_at_a_time:
        if found := _stored(device.store, key):  # another thread has searched for it meanwhile
            return found
        try:
            data = device.store.get(upload)
        except NotFound:
            raise _gone() from None
        found = redraw(device.engine.forward, model, data, picture.attributes, _cutter(), *place).found
        device.store.put(key, found.model_dump_json().encode(), "application/json")
    if not exists(device.store, upload):  # deleted during the search, so the latent must go too
        device.store.delete([key])
        raise _gone()
    return found


def started(device: Device, held: Held, tenant: str, model: SavedModel, image: ImageRequest) -> ImageRequest:
    """Return an order's request for an image, with what the model found for its picture if it has one.

    Raises ProdgenError, which names the image, if nothing can be found for its picture. Raises Cancelled if
    the lease is lost.
    """
    if image.picture is None:
        return image
    try:
        found = found_for(device, tenant, model, image.picture, (image.seed, image.draw))
    except (Unavailable, Unsupported):
        raise
    except ProdgenError as error:
        raise ProdgenError(f"image {image.index} ({image.sku}): {error}", param="picture") from None
    held.advance()
    return image.started(Start.of(image.picture, found))


def _stored(store: Store, key: str) -> Found | None:
    """Return the stored result with this key, or None if there is none or its file is broken."""
    try:
        return Found.model_validate_json(store.get(key))
    except (NotFound, ValidationError):
        return None


def _gone() -> ProdgenError:
    return ProdgenError("the picture is not uploaded any more; upload it again", param="picture")
