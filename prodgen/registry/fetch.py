"""A version becomes a folder."""

import shutil
import tempfile
from pathlib import Path

from prodgen.errors import NotFound, ProdgenError
from prodgen.model_config import digest
from prodgen.registry.files import CONFIG, WEIGHTS, check_weights
from prodgen.registry.versions import Version
from prodgen.storage.base import Store

_CHUNK = 16 << 20


def fetch(store: Store, version: Version, cache: Path) -> Path:
    """The folder under ``cache`` with the version's config and weights, downloaded unless it is there.

    What does not match the version's digest is never handed out: a broken copy in the cache is fetched again,
    a broken original raises ProdgenError. Any number of processes may share the cache.
    """
    target = cache / f"{version.name}-{version.version}"
    if _is_sound(target, version.version):
        return target
    cache.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=cache))
    try:
        for file in (WEIGHTS, CONFIG):
            _download(store, f"{version.prefix}/{file}", partial / file)
        if not _is_sound(partial, version.version):
            raise ProdgenError(f"{version.ref} is corrupt in the store: its files do not match its version")
        check_weights(partial / WEIGHTS)
        _replace(partial, target, version.version)
    except NotFound as error:
        raise ProdgenError(f"{version.ref} is incomplete in the store: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _download(store: Store, key: str, path: Path) -> None:
    size = store.stat(key).size
    with path.open("wb") as file:
        for offset in range(0, size, _CHUNK):
            file.write(store.get(key, offset, min(_CHUNK, size - offset)))


def _is_sound(folder: Path, version: str) -> bool:
    try:
        return digest(folder) == version
    except OSError:
        return False


def _replace(partial: Path, target: Path, version: str) -> None:
    """Move ``partial`` to ``target``, unless another process was faster."""
    for _ in range(2):
        try:
            partial.rename(target)
        except OSError:
            if _is_sound(target, version):
                return
            shutil.rmtree(target, ignore_errors=True)
        else:
            return
    raise ProdgenError(f"{target} cannot be written")
