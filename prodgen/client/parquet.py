"""Parquet files of a job's images for training: each row has the bytes of an image and its attributes.

Clients write these files, not workers, for two reasons. Another version of the library writes other bytes, so
two workers could store different objects for the same cells. And no byte range of a Parquet file is an image.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prodgen.client.download import line_of
from prodgen.client.transport import Transport
from prodgen.errors import Conflict, ProdgenError
from prodgen.files import replacing
from prodgen.spec.manifest import ManifestLine, read_lines

if TYPE_CHECKING:
    import pyarrow

FILE_BYTES = 256 << 20
"""Number of bytes of images after which a new file begins."""
GROUP = 100
"""Number of rows in a row group, the smallest part that a reader loads. The library datasets uses it too."""
_THREADS = 8
_IMAGES = {"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}}}})}
"""Metadata that tells the library datasets to decode the column ``image``."""


def download_parquet(
    transport: Transport, job: str, images: Iterator[dict[str, Any]], folder: Path
) -> Iterator[int]:
    """Write the ``images`` of an ended job to Parquet files in ``folder``; yield the number of images so far.

    A later call keeps the complete files and continues after them. Raises Conflict if the complete files hold
    other images, after a retry, rejection or deletion, and ProdgenError if an image does not fit its digest.
    """
    parquet, done, number = _pyarrow(), 0, 0
    while (path := folder / f"{job}-{number:06d}.parquet").exists():
        for digest in parquet.read_table(path, columns=["sha256"])["sha256"].to_pylist():
            if next(images, {}).get("sha256") != digest:
                raise Conflict(
                    f"{path} holds images of job {job} before a retry, rejection or deletion; "
                    "choose another folder"
                )
            done += 1
        number += 1
    with ThreadPoolExecutor(_THREADS) as pool:
        groups = (
            _table([*pool.map(lambda row: _fetch(transport, row), group)])
            for group in iter(lambda: [*islice(images, GROUP)], [])
        )
        while table := next(groups, None):
            size = 0
            with (
                replacing(folder / f"{job}-{number:06d}.parquet") as partial,
                parquet.ParquetWriter(partial, table.schema, compression="zstd") as writer,
            ):
                while table:
                    writer.write_table(table)
                    done, size = done + table.num_rows, size + table.nbytes
                    yield done
                    table = next(groups, None) if size < FILE_BYTES else None
            number += 1


def read_parquet(path: Path) -> Iterator[tuple[ManifestLine, bytes]]:
    """Yield the manifest line and the image file of each row. Raises ProdgenError for an unreadable file."""
    parquet = _pyarrow()
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(GROUP, columns=["image", "manifest"]):
                for row in batch.to_pylist():
                    (line,) = read_lines(row["manifest"].encode())
                    yield line.model_copy(update={"file": f"{path.name}/{line.file}"}), row["image"]["bytes"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ProdgenError(f"{path} is no Parquet file of an order: {error}") from None


def _fetch(transport: Transport, row: dict[str, Any]) -> tuple[ManifestLine, bytes]:
    line = line_of(row)
    return line, transport.download(row["url"], line.file, line.sha256)


def _table(images: list[tuple[ManifestLine, bytes]]) -> "pyarrow.Table":
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    attributes = pa.struct([(name, text) for name in images[0][0].attributes])
    fields = [
        ("image", pa.struct([("bytes", pa.binary()), ("path", text)])),
        *[(name, number) for name in ("index", "seed", "draw")],
        *[(name, text) for name in ("sku", "model", "sha256", "review")],
        ("attributes", attributes),
        ("manifest", text),
    ]
    rows = [
        {**dict(line), "image": {"bytes": data, "path": line.file}, "manifest": line.to_json()}
        for line, data in images
    ]
    return pa.Table.from_pylist(rows, pa.schema(fields, metadata=_IMAGES))


def _pyarrow() -> Any:
    try:
        from pyarrow import parquet
    except ImportError:
        raise ProdgenError("Parquet files need pyarrow: pip install 'prodgen[parquet]'") from None
    return parquet
