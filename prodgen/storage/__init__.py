"""The object store. All other state of a deployment can be rebuilt from it."""

from pathlib import Path

from prodgen.errors import ProdgenError
from prodgen.settings import Settings
from prodgen.storage.base import ObjectInfo, Store
from prodgen.storage.local import LocalStore

__all__ = ["ObjectInfo", "Store", "connect"]


def connect(settings: Settings) -> Store:
    """Return the store at ``settings.store_url``. A forked process must call this function again."""
    scheme, separator, place = settings.store_url.partition("://")
    if separator and place and scheme == "file":
        return LocalStore(Path(place), settings.secret_key.get_secret_value(), settings.public_url)
    if separator and place and scheme == "s3":
        from prodgen.storage.s3 import S3Store

        return S3Store(
            bucket=place.rstrip("/"),
            endpoint=settings.s3_endpoint,
            public_endpoint=settings.s3_public_endpoint,
            region=settings.s3_region,
            access_key=settings.s3_access_key.get_secret_value(),
            secret_key=settings.s3_secret_key.get_secret_value(),
        )
    raise ProdgenError("PRODGEN_STORE_URL must be file://PATH or s3://BUCKET", param="PRODGEN_STORE_URL")
