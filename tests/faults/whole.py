"""What must hold of a job after any fault."""

import hashlib
from pathlib import Path

from prodgen.cli.app import app
from prodgen.client import Client
from prodgen.spec.manifest import ManifestLine, read_lines
from prodgen.storage import keys
from prodgen.storage.base import Store

TENANT = "default"
IMAGES = 2000
ORDER = {"model": "fashion-mnist", "count": IMAGES, "seed": 7}
"""Some seconds of work for two workers: long enough to be caught at it, whatever the machine."""


def assert_whole(client: Client, store: Store, job: str, folder: Path) -> None:
    """The job succeeds; each image is there exactly once, nothing else is, and the pixels verify."""
    ended = [event["state"] for event in client.watch(job)][-1]
    view = client.job(job)
    assert (ended, view["state"], view["failed"]) == ("succeeded", "succeeded", 0), view
    assert view["done"] == view["total"]
    assert [image["index"] for image in client.images(job)] == [*range(view["total"])]
    files = assert_once(store, job, view["total"])
    export([line for line in manifest(store, job) if line.index % 8 == 0], files, folder)
    assert verified(folder)


def assert_once(store: Store, job: str, total: int | None, tenant: str = TENANT) -> dict[str, bytes]:
    """The files: every index is published exactly once, its bytes are those recorded, no more is there.

    ``total`` is None for a job that was cancelled: any of its images may be missing.
    """
    lines = manifest(store, job, tenant)
    indexes = sorted(line.index for line in lines)
    assert indexes == ([*range(total)] if total is not None else sorted(set(indexes)))
    objects = {key: store.get(key) for key in {line.object for line in lines} if key}
    files = {}
    for line in lines:
        assert line.object
        start = line.offset or 0
        files[line.file] = objects[line.object][start : None if line.length is None else start + line.length]
        assert hashlib.sha256(files[line.file]).hexdigest() == line.sha256, line
    assert only_what_is_named(store, job, tenant)
    return files


def only_what_is_named(store: Store, job: str, tenant: str = TENANT) -> bool:
    """Whether the manifests name everything that workers wrote, and nothing else."""
    under_cells = {info.key for info in store.list(keys.job(tenant, job, "cells/"))}
    return under_cells == {line.object for line in manifest(store, job, tenant)}


def manifest(store: Store, job: str, tenant: str = TENANT) -> list[ManifestLine]:
    """All published lines."""
    found = store.list(keys.job(tenant, job, "manifest/"))
    return [line for info in found for line in read_lines(store.get(info.key))]


def export(lines: list[ManifestLine], files: dict[str, bytes], folder: Path) -> None:
    """What a download gives, without its requests."""
    folder.mkdir()
    for line in lines:
        (folder / line.file).write_bytes(files[line.file])
    (folder / "manifest.jsonl").write_text("".join(line.to_json() + "\n" for line in lines))


def verified(folder: Path, *options: object) -> bool:
    """Whether ``prodgen verify`` is content; run here, so that torch is loaded once for all tests."""
    command = ["verify", str(folder / "manifest.jsonl"), *map(str, options)]
    return not app(command, standalone_mode=False)
