"""Find leases, at the end of a job, whose workers reported images that they did not store.

A worker writes its manifest itself. So a dishonest worker may name the files of another machine's lease, or
files that do not exist. An audit would blame the other machine for the first, and the store for the second.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from prodgen.errors import ProdgenError, Unavailable
from prodgen.jobs.machines import is_one_byte_off, machine_of
from prodgen.jobs.manifests import Manifest, folder_of, reported_at
from prodgen.jobs.record import JobRecord
from prodgen.spec.finish import file_name
from prodgen.spec.order import CELL
from prodgen.storage import keys
from prodgen.storage.base import Store, exists

EMPTY = 3
"""For so many leases without any file, a machine is shut out. A store may lose the files of one lease."""


class FalseLeases(NamedTuple):
    """The result of `find_false_leases`.

    ``keys``: the keys of the published and the reported manifests that do not count. ``liars``: each machine
    to shut out, with the reason. ``overwritten``: where a late process has overwritten a published manifest,
    the key of the right, reported manifest, by the lease's first cell.
    """

    keys: set[str]
    liars: dict[str, str]
    overwritten: dict[int, str]


def find_false_leases(
    store: Store,
    record: JobRecord,
    manifests: Iterable[Manifest],
    won: Mapping[int, str],
    stored: Collection[str],
) -> FalseLeases:
    """Compare the published manifests of a job with the leases that the ledger counted, and with the store.

    ``won``: the token of each counted lease by its first cell. A lease of an earlier epoch may be absent. No
    machine is shut out for such a lease, because only its manifest, which may lie, says who made it.
    ``stored``: the folders of the leases that have a file in the job's listing.
    """
    found, owners, empty = FalseLeases(set(), {}, {}), set[str | None](), Counter[str | None]()
    for manifest in manifests:
        token = won.get(manifest.first)
        folder = token and keys.cell_folder(record.tenant, record.id, manifest.first, token)
        own = folder_of(folder) if folder else manifest.folder
        owner = machine_of(own) if folder else None
        if manifest.folder != own:
            reported = reported_at(store, record, own)
            if reported and reported.folder == own:
                found.overwritten[manifest.first] = reported.key
                continue
            found.keys.add(manifest.key)
            if reported:
                found.keys.add(reported.key)
                if owner and not is_one_byte_off(reported.folder, own):
                    found.liars[owner] = "its manifest names the files of another lease"
        elif manifest.folder in stored or _has_file(store, record, manifest):
            owners.add(owner)
        else:
            found.keys.update((manifest.key, f"{folder}.jsonl") if folder else (manifest.key,))
            empty[owner] += 1
    for machine, leases in empty.items():
        if machine and leases >= EMPTY and owners - {machine}:  # else the store may have lost all files
            found.liars[machine] = f"{leases} of its leases have no files"
    return found


def _has_file(store: Store, record: JobRecord, manifest: Manifest) -> bool:
    """Return whether a lease has its tar or its first image. A listing may lag behind the writes."""
    folder = keys.job(record.tenant, record.id, "cells", manifest.folder)
    name = file_name(manifest.first * CELL, record.spec.output.format)
    try:
        return any(exists(store, key) for key in (f"{folder}.tar", f"{folder}/{name}"))
    except Unavailable:
        raise
    except ProdgenError:  # the manifest names a folder that no store can have
        return False
