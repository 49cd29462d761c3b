"""Files and folders that come out of the store whole, or not at all."""

import shutil
from collections.abc import Callable
from pathlib import Path

from prodgen.errors import ProdgenError
from prodgen.storage.base import Store

_CHUNK = 16 << 20


def download(store: Store, key: str, path: Path) -> None:
    """An object of any size into a file; raises NotFound."""
    size = store.stat(key).size
    with path.open("wb") as file:
        for offset in range(0, size, _CHUNK):
            file.write(store.get(key, offset, min(_CHUNK, size - offset)))


def move_into_place(partial: Path, target: Path, is_sound: Callable[[], bool]) -> None:
    """Move the folder ``partial`` to ``target``, unless another process was faster and that is sound."""
    for _ in range(2):
        try:
            partial.rename(target)
        except OSError:
            if is_sound():
                return
            shutil.rmtree(target, ignore_errors=True)
        else:
            return
    raise ProdgenError(f"{target} cannot be written")
