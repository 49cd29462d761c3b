"""Download objects to files, and replace folders in one step."""

import shutil
from collections.abc import Callable
from pathlib import Path

from prodgen.errors import ProdgenError
from prodgen.storage.base import Store

_CHUNK = 16 << 20


def download(store: Store, key: str, path: Path) -> None:
    """Write an object of any size to the file ``path``; raises NotFound."""
    size = store.stat(key).size
    with path.open("wb") as file:
        for offset in range(0, size, _CHUNK):
            file.write(store.get(key, offset, min(_CHUNK, size - offset)))


def move_into_place(partial: Path, target: Path, is_complete: Callable[[], bool]) -> None:
    """Rename the folder ``partial`` to ``target``; a complete target that another process made is kept."""
    for _ in range(2):
        try:
            partial.rename(target)
        except OSError:
            if is_complete():
                return
            shutil.rmtree(target, ignore_errors=True)
        else:
            return
    raise ProdgenError(f"{target} cannot be written")
