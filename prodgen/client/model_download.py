"""Download the files of a model version into a folder."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from prodgen.client.transport import Transport
from prodgen.errors import Conflict, ProdgenError
from prodgen.files import sha256
from prodgen.spec.model_config import CONFIG, folder_version
from prodgen.spec.names import check_name


def download_model(
    transport: Transport, version: str, files: Iterable[dict[str, Any]], folder: Path
) -> Iterator[tuple[int, int]]:
    """Download the ``files`` of a version to ``folder``; yield the number of bytes so far, and of all bytes.

    Downloads config.json last, because a folder without config.json is not a model. Files that are complete
    are not downloaded again. Raises Conflict if ``folder`` has a different file with a listed name, and
    ProdgenError if the files do not have the listed digests, or together are not the version.
    """
    ordered = sorted(files, key=lambda file: file["name"] == CONFIG)
    paths = [folder / check_name(file["name"]) for file in ordered]
    for path, file in zip(paths, ordered, strict=True):
        if path.exists() and sha256(path) != file["sha256"]:
            raise Conflict(f"{path} exists already and is not of version {version}; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    done, total = 0, sum(file["size"] for file in ordered)
    for path, file in zip(paths, ordered, strict=True):
        if not path.exists():
            yield from ((done + size, total) for size in _download(transport, file, path))
        done += file["size"]
        yield done, total
    if folder_version(folder) != version:
        (folder / CONFIG).unlink()
        raise ProdgenError(f"the files that the service sent are not those of version {version}")


def _download(transport: Transport, file: dict[str, Any], path: Path) -> Iterator[int]:
    """Download a listed file to ``path``; yield the number of bytes so far.

    Writes the bytes to ``PATH.DIGEST.part`` first, and renames this file at the end. A later call continues
    the ``.part`` file. Raises ProdgenError if the bytes do not have the listed digest.
    """
    partial = path.with_name(f"{path.name}.{file['sha256'][:12]}.part")
    with partial.open("ab") as out:
        if out.tell() < file["size"]:
            for _, data in transport.read_from(file["url"], out.tell(), path.name):
                out.write(data)
                yield out.tell()
    if sha256(partial) != file["sha256"]:
        partial.unlink()
        raise ProdgenError(f"{path.name} came with other bytes than were listed; try again")
    partial.replace(path)
