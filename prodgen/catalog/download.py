"""Download public data sets from their mirrors and check each file against its official MD5."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from prodgen.errors import CannotWrite, NotFound, ProdgenError, Unavailable

Report = Callable[[str, int, int | None], None]
"""Progress callback: (file name, bytes done, bytes in total or None if unknown)."""

TRIES = 3
"""Number of tries of each mirror for a file. A try resumes the download as long as the file grows."""
MAX_BYTES = 1 << 30
"""Largest size, in bytes, of a file to download."""
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)


class PublicDataSet(NamedTuple):
    """A data set: ``mirrors`` are URL prefixes, tried in order; ``files`` maps file names to MD5 sums."""

    mirrors: tuple[str, ...]
    files: dict[str, str]


DATA_SETS = {
    "mnist": PublicDataSet(
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        {
            "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        },
    ),
    "fashion-mnist": PublicDataSet(
        (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        ),
        {
            "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        },
    ),
    "cifar-10": PublicDataSet(  # the binary version, because the python version is pickles
        (
            "https://www.cs.toronto.edu/~kriz/",
            "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/",
        ),
        {"cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"},
    ),
}


def download(name: str, folder: Path, report: Report | None = None) -> list[Path]:
    """Download a public data set into ``folder`` and return the paths of its files.

    Skips complete files and resumes interrupted ones (``{file}.partial``). Raises NotFound for an unknown
    name, Unavailable if all mirrors fail, ProdgenError for a wrong MD5, CannotWrite if writing fails.
    """
    if name not in DATA_SETS:
        raise NotFound(f"there is no public data set {name!r}; there are {', '.join(DATA_SETS)}")
    mirrors, files = DATA_SETS[name]
    with httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as http:
        for file, md5 in files.items():
            target = folder / file
            try:
                if not (target.is_file() and _md5(target) == md5):
                    folder.mkdir(parents=True, exist_ok=True)
                    _fetch(http, [mirror + file for mirror in mirrors], target, md5, report)
            except OSError as error:
                raise CannotWrite(f"{target} cannot be written: {error.strerror}") from None
    return [folder / file for file in files]


def _fetch(http: httpx.Client, urls: list[str], target: Path, md5: str, report: Report | None) -> None:
    partial = target.with_name(f"{target.name}.partial")
    failure: ProdgenError | None = None
    for url in urls * TRIES:
        try:
            _download_all(http, url, partial, report)
        except httpx.HTTPError as error:
            answered = isinstance(error, httpx.HTTPStatusError) and f"it answers {error.response.status_code}"
            failure = Unavailable(
                f"{target.name} cannot be downloaded from {urlsplit(url).netloc}: "
                f"{answered or str(error) or type(error).__name__}; "
                "what was received is kept, so try again when the network works"
            )
            continue
        received = _md5(partial)
        if received == md5:
            partial.replace(target)
            return
        partial.unlink()
        failure = ProdgenError(
            f"{target.name} came from {urlsplit(url).netloc} with the MD5 {received}; it should be {md5}"
        )
    if failure:
        raise failure


def _download_all(http: httpx.Client, url: str, partial: Path, report: Report | None) -> None:
    """Download ``url`` to the file ``partial``. After an error, resumes if the file grew, else raises."""
    while True:
        before = _size(partial)
        try:
            return _resume(http, url, partial, report)
        except httpx.HTTPError:
            if _size(partial) <= before:
                raise


def _resume(http: httpx.Client, url: str, partial: Path, report: Report | None) -> None:
    """Append the missing bytes of ``url`` to the file ``partial``; raises httpx.HTTPError on failure."""
    done = _size(partial)
    # Decoded in transit, a .gz would have another checksum, and byte ranges would not match.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with http.stream("GET", url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # the file is already complete; its checksum is compared later
        response.raise_for_status()
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            done = 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        with partial.open("ab" if done else "wb") as file:
            for chunk in response.iter_raw():
                file.write(chunk)
                done += len(chunk)
                if done > MAX_BYTES:
                    partial.unlink()
                    raise httpx.RemoteProtocolError(f"it sends more than {MAX_BYTES:,} bytes")
                if report:
                    report(partial.name.removesuffix(".partial"), done, total)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
