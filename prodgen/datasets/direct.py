"""The store as `push` sees a gateway, for a process that may write there itself."""

import hashlib
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

from prodgen.datasets.chunks import chunk_sizes
from prodgen.datasets.lock import Lock
from prodgen.datasets.summary import Summary
from prodgen.datasets.versions import create_dataset
from prodgen.errors import Conflict, NotFound, Unavailable
from prodgen.storage import keys
from prodgen.storage.base import Store


class Direct:
    """Keeps what is sent for one tenant. ``lock``: the tenant's `dataset_lock`, where others remove data."""

    def __init__(self, store: Store, tenant: str, lock: Lock = nullcontext) -> None:
        self.store, self.tenant, self.lock = store, tenant, lock

    def missing(self, digests: Iterable[str]) -> set[str]:
        """Those of which no upload is there yet."""
        asked = set(digests)
        return asked - chunk_sizes(self.store, self.tenant, asked).keys()

    def send(self, data: bytes) -> str:
        """Keep an upload -> its digest."""
        digest = hashlib.sha256(data).hexdigest()
        self.store.put(keys.upload(self.tenant, digest), data, "application/octet-stream")
        return digest

    def create_dataset(self, name: str, listing: str, summary: dict[str, Any]) -> dict[str, Any]:
        """Make a version of the files that the upload ``listing`` lists -> it, and its ``id``.

        Raises Unavailable, for a push to be tried again, if what was there has been removed meanwhile.
        """
        known = Summary.model_validate(summary)
        try:
            with self.lock():
                made = create_dataset(self.store, self.tenant, name, listing, known)
        except (Conflict, NotFound) as error:
            raise Unavailable(str(error)) from error
        return {**made.model_dump(mode="json"), "id": made.id}
