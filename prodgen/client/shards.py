"""Shards: the tars of an order for webdataset, each with images and, before each image, its manifest line."""

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path

from prodgen.client.transport import Transport
from prodgen.errors import ProdgenError
from prodgen.spec.manifest import ManifestLine, read_lines

_PAGE = 100
"""Number of shards whose links one request fetches; they must be downloaded before the links expire."""


def download_shards(transport: Transport, job: str, folder: Path) -> Iterator[int]:
    """Download the shards of an ended job to ``folder``; yield the number of images so far.

    The bytes of a shard are first in a file with ``.part`` added. A later call continues that file, and keeps
    shards that are whole. Raises ProdgenError if the bytes of an image differ from its recorded digest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    images = 0
    for shard in transport.pages(f"/v1/jobs/{job}/shards", _PAGE):
        path = folder / Path(shard["name"]).name
        if not path.exists():
            _download(transport, shard["url"], path)
        images += shard["images"]
        yield images


def _download(transport: Transport, url: str, path: Path) -> None:
    partial = path.with_name(f"{path.name}.part")
    with partial.open("ab") as file:
        for _, data in transport.read_from(url, file.tell(), path.name):
            file.write(data)
    for line, data in read_shard(partial):
        if hashlib.sha256(data).hexdigest() != line.sha256:
            partial.unlink()
            raise ProdgenError(f"{line.file} came with other bytes than were recorded; try again")
    partial.replace(path)


def read_shard(path: Path) -> Iterator[tuple[ManifestLine, bytes]]:
    """Yield the manifest line and the file of each image of a shard. Raises ProdgenError if it is broken.

    The line's ``file`` begins with the shard's name.
    """
    try:
        with tarfile.open(path) as archive:
            members = iter(archive)
            for text, image in zip(members, members, strict=True):
                (line,) = read_lines(_read(archive, text).splitlines())
                yield line.model_copy(update={"file": f"{path.name}/{line.file}"}), _read(archive, image)
    except (tarfile.TarError, ValueError) as error:
        raise ProdgenError(f"{path} is no shard of an order for webdataset: {error}") from None


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    if file is None:
        raise ValueError(f"{member.name} is no file")
    return file.read()
