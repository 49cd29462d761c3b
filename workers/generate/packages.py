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
"""Objects that are sent to the store at once."""
_HEADER = tarfile.TarInfo().tobuf(tarfile.USTAR_FORMAT)
"""The header of a member without name and content. `tarfile` would take six times as long for each member."""

Put = Callable[[str, bytes, str], None]
"""Stores an object: key, content, content type."""


def as_files(put: Put, folder: str, request: Request, files: list[StudioPicture]) -> list[ManifestLine]:
    """Store one object an image."""
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
    """Store one tar a lease. The manifest has the offset and length of each image in it.

    ``with_lines``: put each image's manifest line before the image, as JSON. All of these members are equally
    long, so that the archive of the job knows the sizes of the images without reading every line.
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
    """Return the header of a member of a tar, as `tarfile` writes it."""
    head = b"".join((name.encode().ljust(100, b"\0"), _HEADER[100:124], b"%011o\0" % size, _HEADER[136:148]))
    total = sum(head) + sum(_HEADER[156:]) + 8 * ord(" ")  # the checksum counts as spaces
    return b"".join((head, b"%06o\0 " % total, _HEADER[156:]))


@cache
def _uploaders() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(UPLOADS, "upload")
