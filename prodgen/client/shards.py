"""Shards: tars for the library webdataset. In a shard, each image comes after its manifest line."""

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path

from prodgen.client.transport import Transport
from prodgen.errors import Conflict, ProdgenError
from prodgen.spec.manifest import ManifestLine, read_lines
from prodgen.spec.merkle import MerkleTree, leaf

_PAGE = 100
"""Number of shards whose links one request fetches; they must be downloaded before the links expire."""


def download_shards(transport: Transport, job: str, folder: Path, root: str | None) -> Iterator[int]:
    """Download the shards of an ended job to ``folder``; yield the number of images so far.

    Writes a shard to a file ``….part`` first. A later call continues this file, and keeps complete shards.
    Raises ProdgenError if the bytes of an image do not fit its digest. Raises Conflict, at the end, if all
    images together do not fit the Merkle root ``root``, because the job was retried between two calls.
    """
    folder.mkdir(parents=True, exist_ok=True)
    images, tree = 0, MerkleTree()
    for shard in transport.pages(f"/v1/jobs/{job}/shards", _PAGE):
        path = folder / Path(shard["name"]).name
        if not path.exists():
            _download(transport, shard["url"], path)
        for line, _ in read_shard(path):
            tree.add(leaf(line))
        images += shard["images"]
        yield images
    if root and tree.root() != root:
        raise Conflict(f"{folder} holds shards of job {job} before a retry; choose another folder")


def _download(transport: Transport, url: str, path: Path) -> None:
    partial = path.with_name(f"{path.name}.part")
    with partial.open("ab") as file:
        for _, data in transport.read_from(url, file.tell(), path.name):
            file.write(data)
    try:
        _check(partial)
    except ProdgenError:
        partial.unlink()  # to continue it would fail again
        raise
    partial.replace(path)


def _check(path: Path) -> None:
    for line, data in read_shard(path):
        if hashlib.sha256(data).hexdigest() != line.sha256:
            raise ProdgenError(f"{line.file} came with other bytes than were recorded; try again")


def read_shard(path: Path) -> Iterator[tuple[ManifestLine, bytes]]:
    """Yield the manifest line and the file of each image of a shard. Raises ProdgenError for a broken shard.

    ``file`` of the line begins with the name of the shard.
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
