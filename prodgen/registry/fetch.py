"""A version becomes a folder."""

import os
import shutil
import tempfile
from pathlib import Path

from prodgen.errors import NotFound, ProdgenError
from prodgen.registry.files import CONFIG, WEIGHTS, check_weights, is_there
from prodgen.registry.versions import Version
from prodgen.spec.model_config import DISCRIMINATOR, folder_version
from prodgen.storage.base import Store
from prodgen.storage.cache import mark_used
from prodgen.storage.download import download, move_into_place


def fetch(store: Store, version: Version, cache: Path) -> Path:
    """The folder under ``cache`` with the version's config and weights, downloaded unless it is there.

    What does not match the version's digest is never handed out: a broken copy in the cache is fetched again,
    a broken original raises ProdgenError. Any number of processes may share the cache; `evict` bounds it.
    """
    target = cache / f"{version.name}-{version.version}"
    mark_used(target)
    if _is_sound(target, version.version):
        return target
    cache.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=cache))
    try:
        for file in (WEIGHTS, CONFIG):
            download(store, f"{version.prefix}/{file}", partial / file)
        if not _is_sound(partial, version.version):
            raise ProdgenError(f"{version.ref} is corrupt in the store: its files do not match its version")
        check_weights(partial / WEIGHTS)
        mark_used(partial)
        move_into_place(partial, target, lambda: _is_sound(target, version.version))
    except NotFound as error:
        raise ProdgenError(f"{version.ref} is incomplete in the store: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def fetch_discriminator(store: Store, version: Version, folder: Path) -> None:
    """Bring what has judged the version in training into its folder, if there is such a thing."""
    path = folder / DISCRIMINATOR
    if not path.exists() and has_discriminator(store, version):
        handle, name = tempfile.mkstemp(prefix=".partial-", dir=folder)
        os.close(handle)
        partial = Path(name)
        try:
            download(store, f"{version.prefix}/{DISCRIMINATOR}", partial)
            check_weights(partial)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def has_discriminator(store: Store, version: Version) -> bool:
    """Whether the version brings along what has judged it in training."""
    return is_there(store, f"{version.prefix}/{DISCRIMINATOR}")


def _is_sound(folder: Path, version: str) -> bool:
    try:
        return folder_version(folder) == version
    except OSError:
        return False
