"""Writes the images of a lease into the store, as files or as one tar, and describes each of them."""

import io
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from prodgen.generation.engine import Request
from prodgen.generation.manifest import manifest_line
from prodgen.spec.finish import file_name
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.order import ImageRequest

UPLOADS = 8
"""Objects that are sent to the store at once."""

Put = Callable[[str, bytes, str], None]
"""Stores an object: key, content, content type."""


def as_files(put: Put, folder: str, request: Request, files: list[bytes]) -> list[ManifestLine]:
    """Store one object an image."""
    content_type = f"image/{request.format}"

    def store(image: ImageRequest, data: bytes) -> ManifestLine:
        key = f"{folder}/{file_name(image.index, request.format)}"
        put(key, data, content_type)
        return manifest_line(request, image, data, object=key)

    return list(_uploaders().map(store, request.images, files))


def as_tar(put: Put, folder: str, request: Request, files: list[bytes]) -> list[ManifestLine]:
    """Store one tar a lease. The manifest has the offset and length of each image in it."""
    buffer, lines, key = io.BytesIO(), [], f"{folder}.tar"
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for image, data in zip(request.images, files, strict=True):
            member = tarfile.TarInfo(file_name(image.index, request.format))
            member.size = len(data)
            offset = buffer.tell() + tarfile.BLOCKSIZE
            archive.addfile(member, io.BytesIO(data))
            lines.append(manifest_line(request, image, data, object=key, offset=offset, length=len(data)))
    put(key, buffer.getvalue(), "application/x-tar")
    return lines


@cache
def _uploaders() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(UPLOADS, "upload")
