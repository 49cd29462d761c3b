"""The images that clients wait for by their addresses. Redis holds them only until they are in the store.

An image is a pure function of its formula, so one that is lost with a worker, or made twice, does no harm:
the gateway that waits for the image asks for it again.
"""

import logging
from datetime import date
from typing import NamedTuple

from pydantic import ValidationError

from prodgen.errors import ProdgenError, TooManyRequests
from prodgen.ledger.ledger import Ledger
from prodgen.spec.formula import Formula
from prodgen.spec.validation_errors import explain

log = logging.getLogger(__name__)

MOST_WAITING = 64
"""Images of one tenant that may wait for a worker."""
WAIT_SECONDS = 10
"""Seconds that an image waits for a worker. After that it is asked for again, and the doorbell rung again."""
MAKE_SECONDS = 30
"""Seconds in which a worker makes an image. After that the image is asked for again."""
SEARCH_SECONDS = 120
"""The same for an image that starts from a picture. A worker takes two, and may search for both latents."""


class Asked(NamedTuple):
    """An image that a client of ``tenant`` waits for."""

    tenant: str
    formula: Formula


class Renders:
    """The waiting images of one deployment. Threads may share one object."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self._scripts = ledger, ledger.scripts

    def waits(self, asked: Asked) -> bool:
        """Return whether the image waits for a worker, or is being made. Raises the error that it met."""
        return _waits(self._scripts.read("get", "render", asked.tenant, asked.formula.digest))

    def ask(self, asked: Asked, weight: float) -> bool:
        """Enter an image, unless it waits already, and count it as ordered. Returns whether it is new.

        Raises TooManyRequests if more than `MOST_WAITING` images of the tenant would wait, or the error that
        the image has met.
        """
        formula = asked.formula
        what = (asked.tenant, formula.digest, formula.model_dump_json(), formula.model)
        state = self._scripts.call("render_ask", *what, weight, WAIT_SECONDS, MOST_WAITING, formula.count)
        if state == "full":
            raise TooManyRequests(
                f"{MOST_WAITING} images of this tenant wait for a worker, and no more may wait; ask again",
                retry_after=1,
            )
        return state == "asked" or not _waits(state)

    def take(self, worker: str, count: int) -> list[Asked]:
        """Take files with the work of up to ``count`` images together, by the weights of their tenants.

        The first file may have more. A worker whose machine is shut out gets none. A formula that this
        version cannot read is left out: the gateway asks for the image again, and a newer worker may take it.
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

    def end(self, asked: Asked, size: int = 0, error: str = "") -> None:
        """Note that an image of ``size`` bytes is in the store or, with ``error``, cannot be made.

        Without both, the image is asked for again by the gateway that waits for it.
        """
        formula = asked.formula
        what = (asked.tenant, formula.digest, error[:500], formula.model)
        self._scripts.call("render_end", *what, size, formula.count)

    def made(self, day: date) -> list[tuple[str, str, int, int]]:
        """Return each tenant and model with the images made on a day (UTC) and their bytes.

        Redis counts them, from its last wipe on, and forgets them four days later.
        """
        counts = ("rendered", str((day - date(1970, 1, 1)).days))
        images, sizes = (self._scripts.read("hgetall", *counts, what) for what in ("images", "bytes"))
        return [(*what.split(" "), int(count), int(sizes.get(what, 0))) for what, count in images.items()]


def _waits(state: str | None) -> bool:
    if state and state.startswith("!"):
        raise ProdgenError(f"the image cannot be made: {state[1:]}")
    return state == "waiting"
