"""A bound on the uploads that each tenant sends at the same time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from prodgen.errors import Unavailable

UPLOADS_PER_TENANT = 4
"""Together they fill half of the 512 MiB that the compose file gives to temporary files."""
WAIT_SECONDS = 10.0


class UploadSlots:
    """The slots of all tenants. Not thread-safe: only the event loop may use it."""

    def __init__(self) -> None:
        self._tenants: dict[str, anyio.Semaphore] = {}

    @asynccontextmanager
    async def take(self, tenant: str) -> AsyncIterator[None]:
        """Hold a slot within the block. Raises Unavailable if none is free within `WAIT_SECONDS`."""
        slots = self._tenants.setdefault(tenant, anyio.Semaphore(UPLOADS_PER_TENANT))
        try:
            with anyio.fail_after(WAIT_SECONDS):
                await slots.acquire()
        except TimeoutError:
            raise Unavailable(
                f"{UPLOADS_PER_TENANT} uploads of yours are in progress, and one tenant may have no more; "
                "send this file again when one has ended"
            ) from None
        try:
            yield
        finally:
            slots.release()
