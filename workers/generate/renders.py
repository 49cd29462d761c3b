"""Makes the images that clients request by their addresses, and puts them into the cache in the store."""

from contextlib import suppress

from prodgen.errors import Unavailable
from prodgen.generation.formula import file_of, request_of
from prodgen.generation.request import Response
from prodgen.jobs.renders import cache_key
from prodgen.ledger.renders import Asked, Renders
from prodgen.models import SavedModel
from prodgen.spec.formula import Formula
from prodgen.storage.base import in_threads
from workers.generate.device import Device, log
from workers.generate.leases import PRIORITY
from workers.generate.metrics import count_images, failures
from workers.generate.redraws import found_for

MOST = 64
"""The maximum number of images that a worker makes for one doorbell; each image of a morph counts."""
SMALL = 1 << 16
"""The most bytes of an image that clients get through the ledger, before the image is in the store."""


Begun = list[tuple[Asked, Response | Exception | None]]
"""Images, each with what `_begin` returned, or with None if the image is still to be started."""


def begin_renders(device: Device, asked: list[Asked]) -> Begun:
    """Start to make the images ``asked``. Does not wait for the device."""
    # Pictures are begun last, as the search for their latents takes seconds.
    asked = sorted(asked, key=lambda one: one.formula.picture is not None)
    return [(one, None if one.formula.picture else _begin(device, one)) for one in asked]


def finish_renders(device: Device, renders: Renders, begun: Begun) -> str:
    """Put images into the store when they are made. Returns a summary for Flower."""
    made = sum(in_threads(lambda one: _finish(device, renders, *one), begun))
    return f"{made} of {len(begun)} images by their addresses"


def _begin(device: Device, asked: Asked) -> Response | Exception:
    """Start to make an image. Returns the engine's response, or the error if the image cannot be started."""
    formula = asked.formula
    try:
        model, found = device.models.load(formula.model, asked.tenant), None
        if formula.picture and isinstance(model, SavedModel):
            found = found_for(device, asked.tenant, model, formula.picture, (formula.seed, formula.index))
        request = request_of(model, formula, PRIORITY["interactive"], asked.tenant, found)
    except Exception as error:
        return error
    return device.engine.submit(request)


def _finish(device: Device, renders: Renders, asked: Asked, begun: Response | Exception | None) -> bool:
    """Store an image, and tell the ledger that it is made or has failed. Returns whether it was stored.

    ``begun``: what `_begin` returned, or None if the image is still to be started. If this worker caused a
    failure, the gateway that waits for the image asks for it again.
    """
    formula = asked.formula
    try:
        data = _file(formula, begun or _begin(device, asked))
        announced = False
        if len(data) <= SMALL:  # the client need not wait for the store
            with suppress(Unavailable):  # the store keeps the image in any case
                renders.end(asked, len(data), file=data)
                announced = True
        device.store.put(cache_key(asked), data, f"image/{formula.format}")
        if not announced:
            renders.end(asked, len(data))
    except Unavailable as error:
        log.warning("an image by its address was not stored or not announced: %s", error)
        return False
    except Exception as error:
        at_fault = device.condition.is_at_fault(error, device.models.find(formula.model))
        failures.labels("device" if at_fault else "images").inc()
        log.error("an image of %s by its address failed: %s", formula.model, error)
        if at_fault:
            device.condition.fault(error)
        renders.end(asked, error="" if at_fault else str(error))
        return False
    count_images(formula.model, formula.count)
    return True


def _file(formula: Formula, response: Response | Exception) -> bytes:
    """Return the file of a formula. Raises ``response`` if it is an error, or the error of the engine."""
    if isinstance(response, Exception):
        raise response
    return file_of(formula, response)
