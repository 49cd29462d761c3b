"""The store of the settings (PRODGEN_*), for the commands that work on it without a gateway."""

from pathlib import Path

from prodgen.errors import NotFound
from prodgen.settings import settings
from prodgen.storage import Store, connect
from prodgen.storage.local import is_store


def open_store() -> tuple[Store, str]:
    """The store and its URL, to be told to people; raises NotFound for a folder that holds none.

    No command begins a store: it would lie in whatever folder its user happens to stand in.
    """
    scheme, _, place = settings().store_url.partition("://")
    if scheme != "file" or not place:
        return connect(settings()), settings().store_url
    folder = Path(place).absolute()
    if not is_store(folder):
        raise NotFound(
            f"there is no store in {folder}; set PRODGEN_STORE_URL to file://DIR/store, where DIR is the "
            "--data-dir of `prodgen up`"
        )
    return connect(settings()), f"file://{folder}"
