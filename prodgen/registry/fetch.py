"""Download a model version to a folder of the cache."""

import secrets
from pathlib import Path

from prodgen.errors import NotFound, ProdgenError
from prodgen.registry.versions import Version
from prodgen.spec.model_config import CONFIG, DISCRIMINATOR, check_files, check_weights, folder_version
from prodgen.storage.base import Store, download, exists
from prodgen.storage.cache import mark_used, new_folder


def fetch(store: Store, version: Version, cache: Path) -> Path:
    """Return the folder below ``cache`` with the version's config and weights; download them if necessary.

    The files are checked against the version's digest. If the copy in the cache is broken, it is downloaded
    again. Raises ProdgenError if files in the store are broken or missing. Processes may share the cache.
    """
    target = cache / f"{version.name}-{version.version}"
    mark_used(target)
    if _is_intact(target, version.version):
        return target
    try:
        with new_folder(target, lambda: _is_intact(target, version.version)) as partial:
            for file in (version.config.weights, CONFIG):
                download(store, f"{version.prefix}/{file}", partial / file)
            if not _is_intact(partial, version.version):
                why = "its files do not match its version"
                raise ProdgenError(f"{version.id} is corrupt in the store: {why}")
            check_files(partial)
            mark_used(partial)
    except NotFound as error:
        raise ProdgenError(f"{version.id} is incomplete in the store: {error}") from error
    return target


def fetch_discriminator(store: Store, version: Version, folder: Path) -> None:
    """Download the version's discriminator into ``folder``, unless it is there or was not published."""
    path = folder / DISCRIMINATOR
    if not path.exists() and has_discriminator(store, version):
        partial = folder / f".partial-{secrets.token_hex(8)}"
        try:
            download(store, f"{version.prefix}/{DISCRIMINATOR}", partial)
            check_weights(partial)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def has_discriminator(store: Store, version: Version) -> bool:
    """Return whether the store has the version's discriminator."""
    return exists(store, f"{version.prefix}/{DISCRIMINATOR}")


def _is_intact(folder: Path, version: str) -> bool:
    try:
        return folder_version(folder) == version
    except (OSError, ProdgenError):
        return False
