"""Writes the images of a lease into the store, as files or as one tar, and describes them for the manifest.
"""

import io
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from prodgen.generation.engine import Request
from prodgen.generation.manifest import manifest_line
from prodgen.jobs.record import JobRecord
from prodgen.spec.finish import file_name
from prodgen.spec.image import ImageRequest
from prodgen.spec.manifest import ManifestLine
from prodgen.storage import Store

UPLOADS = 8
"""Objects that are sent to the store at once."""


def package(
    store: Store,
    folder: str,
    record: JobRecord,
    request: Request,
    files: list[bytes],
    moved: Callable[[], None],
) -> list[ManifestLine]:
    """Store the images as the job's packaging says, and return their manifest lines.

    ``moved()`` is called after each object.
    """
    as_tar = record.packaging == "tar"
    return (_as_tar if as_tar else _as_files)(store, folder, record, request, files, moved)


def _as_files(
    store: Store,
    folder: str,
    record: JobRecord,
    request: Request,
    files: list[bytes],
    moved: Callable[[], None],
) -> list[ManifestLine]:
    content_type = record.spec.output.content_type()

    def put(image: ImageRequest, data: bytes) -> ManifestLine:
        key = f"{folder}/{file_name(image.index, request.format)}"
        store.put(key, data, content_type)
        moved()
        return manifest_line(request, image, data, object=key)

    return list(_uploaders().map(put, request.images, files))


def _as_tar(
    store: Store,
    folder: str,
    record: JobRecord,
    request: Request,
    files: list[bytes],
    moved: Callable[[], None],
) -> list[ManifestLine]:
    """Store one tar a lease. The manifest has the offset and length of each image in it."""
    buffer, lines, key = io.BytesIO(), [], f"{folder}.tar"
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for image, data in zip(request.images, files, strict=True):
            member = tarfile.TarInfo(file_name(image.index, request.format))
            member.size = len(data)
            offset = buffer.tell() + tarfile.BLOCKSIZE
            archive.addfile(member, io.BytesIO(data))
            lines.append(manifest_line(request, image, data, object=key, offset=offset, length=len(data)))
    store.put(key, buffer.getvalue(), "application/x-tar")
    moved()
    return lines


@cache
def _uploaders() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(UPLOADS, "upload")
