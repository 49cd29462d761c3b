"""The images that clients request by their addresses. Redis lists an image only until it is in the store.

An image depends only on its formula. So it does no harm to lose an image with a worker, or to make it twice:
the gateway that waits for the image asks for it again.
"""

import base64
import logging
from datetime import date
from typing import Literal, NamedTuple

from pydantic import ValidationError

from prodgen.errors import ProdgenError, TooManyRequests
from prodgen.ledger.ledger import Ledger
from prodgen.spec.formula import Formula
from prodgen.spec.validation_errors import explain

log = logging.getLogger(__name__)

MOST_WAITING = 64
"""The maximum number of images of one tenant that wait for a worker."""
WAIT_SECONDS = 10
"""Seconds that an image waits for a worker. Then the gateway asks for it, and rings the doorbell, again."""
MAKE_SECONDS = 30
"""Seconds that a worker has to make an image. After this time the gateway asks for the image again."""
SEARCH_SECONDS = 120
"""Like `MAKE_SECONDS`, for an image that starts from a picture, whose latent a worker must search for.

A worker takes two such images at once.
"""


class Asked(NamedTuple):
    """An image that a client of ``tenant`` waits for."""

    tenant: str
    formula: Formula

    @property
    def name(self) -> str:
        """The name under which the ledger announces that the image is made, or is no longer waited for."""
        return f"render:{self.tenant}:{self.formula.digest}"


class Renders:
    """The waiting images of one deployment. Threads may share one object."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self._scripts = ledger, ledger.scripts

    def look(self, asked: Asked) -> bytes | Literal["waiting"] | None:
        """Return the file of an image that was made just now, or ``waiting`` for one that is not made yet.

        Returns None for any other image, which may be in the store. Raises ProdgenError with the reason if a
        worker could not make the image.
        """
        return _read_state(self._scripts.read("get", asked.name))

    def ask(self, asked: Asked, weight: float) -> bool:
        """Enter an image, unless it waits already, and count it as ordered. Returns whether to ring a worker.

        ``weight``: the tenant's weight. Raises TooManyRequests if more than `MOST_WAITING` images of the
        tenant would wait, and ProdgenError with the reason if a worker could not make the image.
        """
        formula = asked.formula
        what = (asked.tenant, formula.digest, formula.model_dump_json(), formula.model)
        state = self._scripts.call("render_ask", *what, weight, WAIT_SECONDS, MOST_WAITING)
        if state == "full":
            raise TooManyRequests(
                f"{MOST_WAITING} images of this tenant wait for a worker, and no more may wait; ask again",
                retry_after=1,
            )
        return state == "asked" or _read_state(state) != "waiting"

    def drop(self, asked: Asked) -> None:
        """Give up an image whose client has gone. Does nothing if a worker makes the image already."""
        formula = asked.formula
        what = (asked.tenant, formula.digest, formula.model_dump_json(), formula.model)
        self._scripts.call("render_drop", *what)

    def take(self, worker: str, count: int) -> list[Asked]:
        """Take waiting files with the work of at most ``count`` images in total, by the tenants' weights.

        The first file may have more work. Returns [] for a worker whose machine is shut out. Leaves out a
        formula that this version of prodgen cannot read: the gateway asks for that image again, so that a
        newer worker may take it.
        """
        taken = []
        for tenant, _, formula in self._scripts.call(
            "render_take", worker, count, MAKE_SECONDS, SEARCH_SECONDS
        ):
            try:
                taken.append(Asked(tenant, Formula.model_validate_json(formula)))
            except ValidationError as error:
                log.warning(
                    "left out an image of %s that this version cannot read: %s", tenant, explain(error)
                )
        return taken

    def end(self, asked: Asked, size: int = 0, error: str = "", file: bytes = b"") -> None:
        """Record that an image of ``size`` bytes is made, or that it cannot be made (``error``).

        The image must be in the store, or come as ``file``, which clients then get from the ledger for some
        seconds. Without ``size`` and ``error``, the gateway that waits for the image asks for it again.
        """
        formula = asked.formula
        what = (asked.tenant, formula.digest, error[:500], formula.model)
        self._scripts.call("render_end", *what, size, formula.count, base64.b64encode(file))

    def made(self, day: date) -> list[tuple[str, str, int, int]]:
        """Return (tenant, model, images, bytes) for each tenant and model with images made on a day (UTC).

        Redis keeps these counts for four days. A wipe of Redis loses them.
        """
        counts = ("rendered", str((day - date(1970, 1, 1)).days))
        images, sizes = (self._scripts.read("hgetall", *counts, what) for what in ("images", "bytes"))
        return [(*what.split(" "), int(count), int(sizes.get(what, 0))) for what, count in images.items()]


def _read_state(state: str | None) -> bytes | Literal["waiting"] | None:
    if state and state.startswith("!"):
        raise ProdgenError(f"the image cannot be made: {state[1:]}")
    if state and state.startswith("="):
        return base64.b64decode(state[1:])
    return "waiting" if state == "waiting" else None
