"""Open the store that the settings (PRODGEN_*) name, for commands that need no gateway."""

from pathlib import Path

from prodgen.errors import NotFound
from prodgen.settings import settings
from prodgen.storage import Store, connect
from prodgen.storage.local import is_store


def open_store() -> tuple[Store, str]:
    """Return the store of the settings and its URL. Raises NotFound if the URL is a folder without a store.

    Creates no store: the default URL lies in the current folder, which may be any folder.
    """
    scheme, _, path = settings().store_url.partition("://")
    if scheme != "file" or not path:
        return connect(settings()), settings().store_url
    folder = Path(path).absolute()
    if not is_store(folder):
        raise NotFound(
            f"there is no store in {folder}; set PRODGEN_STORE_URL to file://DIR/store, where DIR is the "
            "--data-dir of `prodgen up`"
        )
    return connect(settings()), f"file://{folder}"
