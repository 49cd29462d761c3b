"""Read the first bytes of uploaded pictures, which say their size."""

import io

from prodgen.spec.photograph import picture_size
from prodgen.storage.base import Store

HEAD = 256 << 10
"""Number of bytes of a picture that are read first. In nearly every picture, they contain its size."""


def read_head(store: Store, key: str) -> bytes:
    """Return the first `HEAD` bytes of an object; or all, if they do not tell the size of a picture.

    The size may come after a long profile or comment. Raises NotFound.
    """
    head = store.get(key, 0, HEAD)
    return store.get(key) if len(head) == HEAD and picture_size(io.BytesIO(head)) is None else head
