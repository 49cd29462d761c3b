"""Push data sets to a store without a gateway."""

import hashlib
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

from prodgen.datasets.chunks import find_chunks
from prodgen.datasets.lock import Lock
from prodgen.datasets.summary import Summary
from prodgen.datasets.versions import create_dataset
from prodgen.errors import Conflict, NotFound, Unavailable
from prodgen.storage import keys
from prodgen.storage.base import Store


class StoreTarget:
    """A store as a `PushTarget` of one tenant. ``lock`` returns the tenant's `dataset_lock`."""

    def __init__(self, store: Store, tenant: str, lock: Lock = nullcontext) -> None:
        self.store, self.tenant, self.lock = store, tenant, lock

    def missing(self, digests: Iterable[str]) -> set[str]:
        """Return those of the digests whose data have not been uploaded yet."""
        asked = set(digests)
        return asked - find_chunks(self.store, self.tenant, asked).keys()

    def send(self, data: bytes) -> str:
        """Upload the data and return its digest."""
        digest = hashlib.sha256(data).hexdigest()
        self.store.put(keys.upload(self.tenant, digest), data, "application/octet-stream")
        return digest

    def create_dataset(self, name: str, listing: str, summary: dict[str, Any]) -> dict[str, Any]:
        """Create a version and return its description; ``listing`` is the digest of the list of its files.

        Raises Unavailable if an upload of this push was removed meanwhile; the push may then be repeated.
        """
        known = Summary.model_validate(summary)
        try:
            with self.lock():
                made = create_dataset(self.store, self.tenant, name, listing, known)
        except (Conflict, NotFound) as error:
            raise Unavailable(str(error)) from error
        return {**made.model_dump(mode="json"), "id": made.id}
