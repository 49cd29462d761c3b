"""Publish a model folder as a version."""

from collections.abc import Sequence
from pathlib import Path

from prodgen.errors import ProdgenError
from prodgen.registry.alias_history import set_alias
from prodgen.registry.model_files import CONFIG, CONTENT_TYPES, EXTRAS, LINEAGE, WEIGHTS, check_weights
from prodgen.registry.versions import PRODUCTION, Version, folder, resolve
from prodgen.spec.lineage import parse_lineage
from prodgen.spec.model_config import DISCRIMINATOR, folder_version, read_config
from prodgen.spec.names import check_name
from prodgen.storage.base import Store, exists


def publish(
    store: Store,
    source: Path,
    name: str,
    tenant: str | None,
    aliases: Sequence[str] = (PRODUCTION,),
) -> Version:
    """Upload the model in ``source`` for one tenant, or for all tenants (None); make ``aliases`` mean it.

    The version is the digest of config and weights, so publishing the same model again changes no file. The
    config is uploaded last, and a version without a config is not listed. Raises ProdgenError if a file in
    ``source`` is missing or broken.
    """
    check_name(name)
    for required in (CONFIG, WEIGHTS):
        if not (source / required).is_file():
            raise ProdgenError(f"{source} holds no {required}")
    read_config(source)
    for weights in (WEIGHTS, DISCRIMINATOR):
        if (source / weights).is_file():
            check_weights(source / weights)
    if (source / LINEAGE).is_file():
        parse_lineage((source / LINEAGE).read_bytes(), str(source / LINEAGE))
    version = folder_version(source)
    prefix = folder(name, version, tenant)
    if not exists(store, f"{prefix}/{CONFIG}"):
        for file in (WEIGHTS, *EXTRAS, CONFIG):
            path = source / file
            if path.is_file():
                kind = CONTENT_TYPES.get(path.suffix, "application/octet-stream")
                store.put_file(f"{prefix}/{file}", path, kind)
    for alias in aliases:
        set_alias(store, name, alias, version, tenant)
    return resolve(store, f"{name}@{version}", tenant)
