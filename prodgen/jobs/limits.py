"""The limits of an order: its images, and how many interactive orders of a tenant may wait."""

from prodgen.errors import ProdgenError, TooManyRequests
from prodgen.ledger.entries import Queue
from prodgen.ledger.ledger import Ledger
from prodgen.settings import Settings

INTERACTIVE_IMAGES = 64
"""The most images of an interactive order."""


def check_total(settings: Settings, queue: Queue, total: int) -> None:
    """Raise ProdgenError if an order of ``total`` images is too large for its queue."""
    if total > settings.max_images_per_job:
        raise ProdgenError(
            f"this order asks for {total:,} images; one job makes at most {settings.max_images_per_job:,}",
            param="count",
        )
    if queue == "interactive" and total > INTERACTIVE_IMAGES:
        raise ProdgenError(
            f"this order asks for {total:,} images; an interactive one makes at most {INTERACTIVE_IMAGES}:"
            " order it with priority 'bulk'",
            param="priority",
        )


def check_waiting(settings: Settings, ledger: Ledger, tenant: str, queue: Queue) -> None:
    """Raise TooManyRequests for an interactive order if too many interactive orders of the tenant wait.

    Orders that are sent at the same moment may pass the limit.
    """
    most = settings.max_interactive_orders
    if queue == "interactive" and ledger.waiting("interactive", tenant) >= most:
        raise TooManyRequests(
            f"{most} interactive orders of this tenant wait for a worker, and no more may wait:"
            " order it with priority 'bulk', or again when some of them are made",
            param="priority",
        )
