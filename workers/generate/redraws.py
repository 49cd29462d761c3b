"""Finds how a model draws an uploaded picture, once for all images that start from the picture."""

import threading
from functools import cache

from prodgen.errors import NotFound, ProdgenError
from prodgen.models import SavedModel
from prodgen.photographs.cutters import load_cutter
from prodgen.photographs.redraw import redraw
from prodgen.spec.formula import Formula
from prodgen.spec.redrawing import Found, Picture
from prodgen.storage import keys
from workers.generate.device import Device

_cutter = cache(load_cutter)
_one_at_a_time = threading.Lock()


def found_for(device: Device, tenant: str, model: SavedModel, formula: Formula, picture: Picture) -> Found:
    """Return what the model has found for the picture of a formula: from the store, or else found now.

    The store keeps it with the cut-outs of the picture, so that a slider moves through one latent, whichever
    worker answers. Raises ProdgenError for an upload that is gone or shows no product.
    """
    key = keys.found(tenant, model.digest, picture.sha256, formula.start_digest)
    with _one_at_a_time:  # a picture that is asked for again meanwhile is found when its turn comes
        try:
            return Found.model_validate_json(device.store.get(key))
        except NotFound:
            pass
        try:
            data = device.store.get(keys.upload(tenant, picture.sha256))
        except NotFound:
            raise ProdgenError(
                "the picture is not uploaded any more; upload it again", param="picture"
            ) from None
        place = (formula.seed, formula.index)
        found = redraw(device.engine.forward, model, data, picture.attributes, _cutter(), *place).found
        device.store.put(key, found.model_dump_json().encode(), "application/json")
        return found
