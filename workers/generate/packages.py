"""Stores the images of a lease in the packaging of their job, and returns their manifest lines."""

import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from prodgen.generation.request import Request, manifest_lines
from prodgen.photographs.studio import StudioPicture
from prodgen.spec.finish import file_name
from prodgen.spec.manifest import ManifestLine

UPLOADS = 8
"""How many objects are sent to the store at the same time."""
_HEADER = tarfile.TarInfo().tobuf(tarfile.USTAR_FORMAT)
"""The tar header of a file without name and content, from which `_header` makes all others.

`tarfile` itself would need six times as long for each header.
"""

Put = Callable[[str, bytes, str], None]
"""A function that stores an object. Its arguments: key, content, content type."""


def as_files(put: Put, folder: str, request: Request, files: list[StudioPicture]) -> list[ManifestLine]:
    """Store each image as one object in ``folder``. Returns the manifest lines."""
    content_type = f"image/{request.format}"
    lines = [
        line.model_copy(update={"object": f"{folder}/{file_name(line.index, request.format)}"})
        for line in manifest_lines(request, files)
    ]

    def store(line: ManifestLine, file: StudioPicture) -> None:
        put(line.object or "", file.data, content_type)

    list(_uploaders().map(store, lines, files))
    return lines


def as_tar(
    put: Put, folder: str, request: Request, files: list[StudioPicture], with_lines: bool
) -> list[ManifestLine]:
    """Store all images of a lease in one tar. Returns the manifest lines, with each image's place in the tar.

    ``with_lines``: put each image's manifest line before the image, as a JSON file. All JSON files of the tar
    have one length, so that the archive of the job can compute sizes without reading every line.
    """
    key, parts, size = f"{folder}.tar", list[bytes](), 0
    lines = manifest_lines(request, files)
    texts = [line.to_json().encode() for line in lines] if with_lines else []
    longest = max(map(len, texts), default=0)
    for at, (line, file) in enumerate(zip(lines, files, strict=True)):
        members = [(file_name(line.index, line.format), file.data)]
        if with_lines:
            members.insert(0, (file_name(line.index, "json"), texts[at].ljust(longest)))
        for name, data in members:
            parts += (_header(name, len(data)), data, bytes(-len(data) % tarfile.BLOCKSIZE))
            size += tarfile.BLOCKSIZE + len(data) + len(parts[-1])
        place = {"object": key, "offset": size - len(parts[-1]) - len(file.data), "length": len(file.data)}
        lines[at] = line.model_copy(update=place)
    end = 2 * tarfile.BLOCKSIZE
    parts.append(bytes(end + -(size + end) % tarfile.RECORDSIZE))
    put(key, b"".join(parts), "application/x-tar")
    return lines


def _header(name: str, size: int) -> bytes:
    """Return the header of a file in a tar, with the same bytes as `tarfile` writes."""
    head = b"".join((name.encode().ljust(100, b"\0"), _HEADER[100:124], b"%011o\0" % size, _HEADER[136:148]))
    total = sum(head) + sum(_HEADER[156:]) + 8 * ord(" ")  # the checksum counts as spaces
    return b"".join((head, b"%06o\0 " % total, _HEADER[156:]))


@cache
def _uploaders() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(UPLOADS, "upload")
