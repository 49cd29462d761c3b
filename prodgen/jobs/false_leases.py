"""Find leases, at the end of a job, whose workers reported images that they did not store.

A worker writes its manifest itself. So a dishonest worker may name the files of another machine's lease, or
files that do not exist. An audit would blame the other machine for the first, and the store for the second.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

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
    """``keys``: of the manifests, published and reported, that do not count. ``liars``: why, by machine."""

    keys: set[str]
    liars: dict[str, str]


def find_false_leases(
    store: Store,
    record: JobRecord,
    manifests: Iterable[Manifest],
    won: Mapping[int, str],
    stored: Collection[str],
) -> FalseLeases:
    """Compare the published manifests of a job with the leases that the ledger counted, and with the store.

    ``won``: the token of each counted lease by its first cell; a lease of an earlier epoch may be absent.
    ``stored``: the folders of the leases that have a file in the job's listing.
    """
    found, owners, empty = FalseLeases(set(), {}), set[str | None](), Counter[str | None]()
    for manifest in manifests:
        key = keys.cell_folder(record.tenant, record.id, manifest.first, won.get(manifest.first, ""))
        own = folder_of(key) if manifest.first in won else manifest.folder
        owner = machine_of(own)
        if manifest.folder != own:
            found.keys.add(manifest.key)
            reported = reported_at(store, record, own)
            # If the report is right, a late process has overwritten what the owner published.
            if reported and reported.folder != own:
                found.keys.add(reported.key)
                if owner and not is_one_byte_off(reported.folder, own):
                    found.liars[owner] = "its manifest names the files of another lease"
        elif manifest.folder in stored or _has_file(store, record, manifest):
            owners.add(owner)
        else:
            found.keys.update((manifest.key, f"{keys.job(record.tenant, record.id, 'cells', own)}.jsonl"))
            empty[owner] += 1
    for machine, leases in empty.items():
        if machine and leases >= EMPTY and owners - {machine}:  # else the store may have lost all files
            found.liars[machine] = f"{leases} of its leases have no files"
    return found


def _has_file(store: Store, record: JobRecord, manifest: Manifest) -> bool:
    """Return whether a lease has its tar or its first image. A listing may lag behind the writes."""
    folder = keys.job(record.tenant, record.id, "cells", manifest.folder)
    name = file_name(manifest.first * CELL, record.spec.output.format)
    return any(exists(store, key) for key in (f"{folder}.tar", f"{folder}/{name}"))
