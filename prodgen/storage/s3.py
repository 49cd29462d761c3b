"""An object store behind any server that speaks S3."""

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar
from urllib.parse import urlsplit

from minio import Minio
from minio.datatypes import Object
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error, ServerError
from minio.helpers import check_bucket_name
from urllib3.exceptions import HTTPError

from prodgen.errors import NotFound, ProdgenError, StoreUnavailable
from prodgen.storage.base import ObjectInfo, check_key
from prodgen.storage.links import check_linkable, content_disposition
from prodgen.storage.s3_requests import FAILURES, RetryingPool, to_prodgen_error

Answer = TypeVar("Answer")

_DELETE_BATCH = 1000
_EXISTS = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists", "OperationAborted"}


class S3Store:
    """A `Store` in one bucket, which is created by the first request that needs it.

    Uses only requests that every S3 server supports; conditional puts are not among them. Repeats a failed
    request for ``retry_seconds``. Links lead to ``public_endpoint``; signing a link needs no request.
    """

    def __init__(
        self,
        bucket: str,
        endpoint: str,
        access_key: str,
        secret_key: str,
        region: str = "us-east-1",
        public_endpoint: str | None = None,
        retry_seconds: float = 10.0,
    ) -> None:
        if not (access_key and secret_key):
            raise ProdgenError("an s3:// store needs PRODGEN_S3_ACCESS_KEY and PRODGEN_S3_SECRET_KEY")
        connections = RetryingPool(retry_seconds)

        def client(url: str) -> Minio:
            parts = urlsplit(url)
            if (
                parts.scheme not in {"http", "https"}
                or not parts.hostname
                or parts.path.strip("/")
                or parts.username
            ):
                raise ProdgenError("an S3 endpoint must be http://HOST:PORT or https://HOST:PORT")
            return Minio(
                parts.netloc,
                access_key,
                secret_key,
                secure=parts.scheme == "https",
                region=region,
                http_client=connections,
            )

        self._bucket = bucket
        self._endpoint = endpoint
        try:
            self._client = client(endpoint)
            self._signer = client(public_endpoint or endpoint)
            check_bucket_name(bucket, strict=True)
        except ValueError as error:
            raise ProdgenError(f"the S3 settings are wrong: {error}") from error

    def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        self._put(key, lambda: io.BytesIO(data), len(data), content_type)

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> None:
        self._put(key, lambda: path.open("rb"), path.stat().st_size, content_type)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        check_key(key)
        if length == 0:  # minio reads all bytes for a length of 0
            self.stat(key)
            return b""
        try:
            return self._request(
                lambda: bytes(self._client.get_object(self._bucket, key, offset, length or 0).data or b""),
                key,
            )
        except StoreUnavailable as error:
            if isinstance(error.__cause__, S3Error) and error.__cause__.code == "InvalidRange":
                return b""  # the offset is beyond the end
            raise

    def stat(self, key: str) -> ObjectInfo:
        check_key(key)
        return _info(self._request(lambda: self._client.stat_object(self._bucket, key), key))

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        check_key(prefix + "x")  # a prefix is the beginning of a key
        found = self._client.list_objects(self._bucket, prefix, recursive=True, start_after=after or None)
        while item := self._request(lambda: next(found, None)):
            yield _info(item)

    def names(self, prefix: str) -> Iterator[str]:
        check_key(prefix + "x")
        found = self._client.list_objects(self._bucket, prefix)
        while item := self._request(lambda: next(found, None)):
            yield str(item.object_name).removeprefix(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        remaining = map(check_key, keys)
        while batch := tuple(islice(remaining, _DELETE_BATCH)):
            for key in self._delete_together(batch):
                with suppress(NotFound):
                    self._request(partial(self._client.remove_object, self._bucket, key), key)

    def link(self, key: str, seconds: int, file_name: str) -> str:
        try:
            return self._signer.presigned_get_object(
                self._bucket,
                check_linkable(key),
                expires=timedelta(seconds=seconds),
                response_headers={"response-content-disposition": content_disposition(file_name)},
            )
        except ValueError as error:
            raise ProdgenError("a link may last from one second to seven days") from error

    def check(self) -> None:
        if not self._request(lambda: self._client.bucket_exists(self._bucket)):
            self._request(self._make_bucket)

    def _put(self, key: str, source: Callable[[], BinaryIO], length: int, content_type: str) -> None:
        check_key(key)

        def request() -> None:
            with source() as data:
                result = self._client.put_object(self._bucket, key, data, length, content_type)
            if result.etag is None:  # completing a multipart upload may fail under status 200
                raise ServerError("the upload was not completed", 500)

        self._request(request, key)

    def _delete_together(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Delete the objects in one request; return the keys of objects that this did not delete."""
        try:
            errors = [*self._client.remove_objects(self._bucket, [DeleteObject(key) for key in keys])]
        except MinioException:  # some servers and proxies refuse this request
            return keys
        except HTTPError as error:
            raise to_prodgen_error(error, self._endpoint) from error
        left = tuple(error.name or "" for error in errors if error.code != "NoSuchKey")
        return keys if "" in left else left

    def _make_bucket(self) -> None:
        try:
            self._client.make_bucket(self._bucket)
        except S3Error as error:
            if error.code == "AccessDenied":
                raise StoreUnavailable(
                    f"the bucket {self._bucket} does not exist, and these credentials may not create it"
                ) from error
            if error.code not in _EXISTS:
                raise

    def _request(self, request: Callable[[], Answer], key: str = "") -> Answer:
        """Return the result of ``request()``. Raises ProdgenError in place of errors of minio and urllib3.

        Calls ``request`` a second time if the bucket was missing (and creates the bucket first), or if the
        server does not know an upload any more, because its answer to the end of the upload was lost.
        """
        try:
            try:
                return request()
            except S3Error as error:
                if error.code == "NoSuchBucket":
                    self._make_bucket()
                elif error.code != "NoSuchUpload":
                    raise
            return request()
        except FAILURES as error:
            raise to_prodgen_error(error, self._endpoint, key) from error


def _info(found: Object) -> ObjectInfo:
    modified = found.last_modified or datetime.fromtimestamp(0, UTC)
    return ObjectInfo(found.object_name or "", found.size or 0, modified)
