"""Read the images of a download: a folder with a manifest, shards for webdataset, or Parquet files."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

from prodgen.client.parquet import read_parquet
from prodgen.client.shards import read_shard
from prodgen.errors import NotFound, ProdgenError
from prodgen.spec.manifest import ManifestLine, read_lines

Read = Callable[[str], bytes | None]
_PACKED = {".tar": read_shard, ".parquet": read_parquet}


def read_download(path: Path) -> tuple[list[ManifestLine], Read]:
    """Return the manifest lines of a download, and the function that reads the file of a line.

    ``path``: a manifest, a shard, a Parquet file, or a folder of them. The function returns None for a file
    that cannot be read. For shards and Parquet files, call it once for each line, in the order of the lines.
    """
    found = sorted(path.iterdir()) if path.is_dir() else [path]
    packed = [file for file in found if file.suffix in _PACKED]
    if path.is_dir() and (not packed or (path / "manifest.jsonl").is_file()):
        path, packed = path / "manifest.jsonl", []
    if not path.exists():
        raise NotFound(f"there is no manifest {path}")
    lines = [line for line, _ in _images(packed)] if packed else [*read_lines(path.read_bytes())]
    if not lines:
        raise ProdgenError(f"{path} lists no image")
    return lines, _reader_of_packed(_images(packed)) if packed else _reader_of_folder(path.parent)


def _images(files: Iterable[Path]) -> Iterator[tuple[ManifestLine, bytes]]:
    return chain.from_iterable(_PACKED[file.suffix](file) for file in files)


def _reader_of_packed(images: Iterator[tuple[ManifestLine, bytes]]) -> Read:
    return lambda name: next((data for line, data in images if line.file == name), None)


def _reader_of_folder(folder: Path) -> Read:
    def read(name: str) -> bytes | None:
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            return None
        with suppress(OSError):
            return path.read_bytes()
        return None

    return read
