"""Publish model folders as versions."""

import re
from collections.abc import Sequence
from pathlib import Path

from prodgen.bundled import bundled_folders
from prodgen.errors import ProdgenError
from prodgen.registry.aliases import set_alias
from prodgen.registry.versions import PRODUCTION, Version, aliases, folder, resolve
from prodgen.spec.model_config import (
    CONFIG,
    DISCRIMINATOR,
    LINEAGE,
    METRICS,
    check_files,
    check_weights,
    folder_version,
    parse_lineage,
)
from prodgen.spec.names import check_name
from prodgen.spec.quality import QUALITY, parse_quality
from prodgen.storage.base import Store, exists

CARD = "card.md"
EXTRAS = (CARD, METRICS, LINEAGE, QUALITY, "samples.png", DISCRIMINATOR)
"""Optional files, which describe a version or help to train it further. The version's digest ignores them."""
CONTENT_TYPES = {".json": "application/json", ".md": "text/markdown", ".png": "image/png"}


def publish(
    store: Store,
    source: Path,
    name: str,
    tenant: str | None,
    aliases: Sequence[str] = (PRODUCTION,),
) -> Version:
    """Upload the model in ``source`` for one tenant, or for all tenants (None), and set ``aliases``.

    The version is the digest of config and weights, so publishing the same model again changes no file. But
    if the version in the store lacks quality.json (the threshold of the quality gate), the file is added. The
    config is uploaded last, because a version without a config is not listed. Raises ProdgenError if a file
    in ``source`` is missing or broken.
    """
    check_name(name)
    if not (source / CONFIG).is_file():
        raise ProdgenError(f"{source} holds no {CONFIG}")
    config = check_files(source)
    if (source / DISCRIMINATOR).is_file():
        check_weights(source / DISCRIMINATOR)
    if (source / LINEAGE).is_file():
        parse_lineage((source / LINEAGE).read_bytes(), str(source / LINEAGE))
    if (source / QUALITY).is_file():
        parse_quality((source / QUALITY).read_bytes(), str(source / QUALITY))
    version = folder_version(source)
    prefix = folder(name, version, tenant)
    if not exists(store, f"{prefix}/{CONFIG}"):
        for file in (config.weights, *EXTRAS, CONFIG):
            path = source / file
            if path.is_file():
                kind = CONTENT_TYPES.get(path.suffix, "application/octet-stream")
                if file == CARD:  # its title may be the name of a folder in which the model was trained
                    store.put(f"{prefix}/{file}", _with_title(path.read_bytes(), name), kind)
                    continue
                store.put_file(f"{prefix}/{file}", path, kind)
    elif (source / QUALITY).is_file() and not exists(store, f"{prefix}/{QUALITY}"):
        store.put_file(f"{prefix}/{QUALITY}", source / QUALITY, CONTENT_TYPES[".json"])
    for alias in aliases:
        set_alias(store, name, alias, version, tenant)
    return resolve(store, f"{name}@{version}", tenant)


def _with_title(card: bytes, name: str) -> bytes:
    return re.sub(rb"\A# .*", b"# " + name.encode(), card)


def publish_bundled(store: Store) -> list[Version]:
    """Publish every bundled model and return the versions; an existing `production` alias is not changed."""
    published = []
    for source in bundled_folders():
        aliases_to_set = () if PRODUCTION in aliases(store, source.name, None) else (PRODUCTION,)
        published.append(publish(store, source, source.name, None, aliases_to_set))
    return published
