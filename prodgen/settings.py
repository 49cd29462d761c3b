"""The settings of every process, read from the environment (``PRODGEN_*``)."""

import secrets
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from prodgen.spec.validation_errors import explain_errors

SECRET_LENGTH = 32


class Settings(BaseSettings):
    """Settings of one deployment; the defaults suit one machine in development."""

    model_config = SettingsConfigDict(env_prefix="PRODGEN_", extra="ignore", allow_inf_nan=False)

    environment: Literal["development", "production"] = "development"
    """In production, ``secret_key`` must be set."""
    secret_key: SecretStr = Field(default_factory=lambda: SecretStr(secrets.token_urlsafe(SECRET_LENGTH)))
    """The secret that signs links. The random default suits only a gateway of a single process."""
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    """The Redis of the ledger and of Celery."""

    store_url: str = "file://./data/store"
    """The object store: ``file://PATH`` or ``s3://BUCKET``."""
    s3_endpoint: str = "http://127.0.0.1:8333"
    """The URL at which the processes reach the S3 store."""
    s3_public_endpoint: str | None = None
    """The URL at which clients reach the S3 store; ``s3_endpoint`` if None."""
    s3_region: str = "us-east-1"
    """The region of the bucket; servers of your own mostly accept any."""
    s3_access_key: SecretStr = SecretStr("")
    """The name of the credentials for the S3 store."""
    s3_secret_key: SecretStr = SecretStr("")
    """The secret of the credentials for the S3 store."""

    public_url: str = "http://127.0.0.1:8000"
    """The URL at which clients reach the gateway; signed links begin with it."""
    flower_url: str | None = None
    """The URL at which operators reach Flower; the studio links to it for keys with the scope ``admin``."""
    grafana_url: str | None = None
    """The URL at which operators reach a dashboard in Grafana; the studio links to it, as to Flower."""
    machine: str | None = None
    """The name of a worker's machine, by which an audit shuts the worker out; if None, the host's name."""
    lease_seconds: float = Field(default=30.0, gt=0)
    """Seconds for which a worker may be silent before its work (cells of images) goes to another worker."""
    tick_seconds: float = Field(default=5.0, gt=0)
    """Seconds between two runs of maintenance, which finds lost workers, lost doorbells and ended jobs."""
    model_cache: Path = Path("~/.cache/prodgen/models")
    """The folder in which a worker keeps the model versions that it has downloaded."""
    feature_weights: Path | None = None
    """The folder with the weights of AlexNet and VGG16, by which evaluations compare images, and of
    EfficientNet-Lite0, which helps GANs; if None, those of the installed packages."""
    upscaler: Path | None = None
    """The file with the weights of the network behind ``upscale``, the same on all workers; if None, the one
    that comes with prodgen."""
    training_folder: Path = Path("~/.cache/prodgen/training")
    """The folder in which a training worker keeps data sets and the files of its runs."""
    node_address: str | None = None
    """Where other training nodes reach this node; if None, the address from which this node reaches Redis."""
    model_memory_mb: int = Field(default=2048, ge=1)
    """MiB of models that a worker keeps in memory; the least recently used models are dropped first."""
    cache_mb: int = Field(default=51_200, ge=1)
    """MiB of fetched models in ``model_cache``, and of fetched data sets and models in ``training_folder``;
    the least recently used ones are removed first. The gateway refuses a data set that is larger."""
    stall_seconds: float = Field(default=120.0, gt=0)
    """Seconds without progress after which a worker gives up a batch or a lease."""
    stop_seconds: float = Field(default=15.0, gt=0)
    """Seconds after SIGTERM in which a worker that generates finishes its leases; it hands the rest back."""
    health_port: int | None = Field(default=None, ge=1, le=65535)
    """The port on which a worker answers ``/healthz``, ``/readyz`` and ``/metrics``; no port if None."""
    health_host: str = "127.0.0.1"
    """The address on which ``health_port`` is opened; ``0.0.0.0`` in a container."""
    ready_file: Path | None = None
    """A file that a worker creates when it is ready to work, for a supervisor that waits for the worker."""
    max_images_per_job: int = Field(default=10_000_000, ge=1)
    """The most images of one order; the gateway refuses a larger order."""
    max_interactive_orders: int = Field(default=64, ge=1)
    """Interactive orders of one tenant that may wait for a worker; further ones are refused."""
    webhook_private: bool = False
    """Whether webhooks may go to addresses that are not public, and over plain ``http``."""
    render_cache_mb: int = Field(default=10_240, ge=256)
    """MiB of images got by their addresses that the store keeps of each tenant; older ones are deleted."""
    render_days: int = Field(default=30, ge=1)
    """Days for which the store keeps an image got by its address; later the image is made again if needed."""
    audit_share: float = Field(default=0.0, ge=0, le=1)
    """The share of each ended order's images that other machines make again, to find machines that make wrong
    images; 0: none."""
    link_seconds: int = Field(default=3600, ge=1, le=7 * 24 * 3600)
    """Seconds for which a signed link to an image or another file works."""

    @model_validator(mode="after")
    def _check_secret_key(self) -> Self:
        given = self.secret_key.get_secret_value().strip() if "secret_key" in self.model_fields_set else None
        local = self.environment == "development" and _is_loopback(self.public_url)
        may_be_short = local and given != ""
        if not may_be_short and len(given or "") < SECRET_LENGTH:
            raise ValueError(
                f"PRODGEN_SECRET_KEY must have at least {SECRET_LENGTH} characters (`openssl rand -hex 32` "
                "makes one); it may be left out only in development, with PRODGEN_PUBLIC_URL on this machine"
            )
        return self


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@lru_cache
def settings() -> Settings:
    """Return the settings of this process. Raises ProdgenError, which names the faulty variable."""
    try:
        return Settings()
    except ValidationError as error:
        errors = [{**e, "loc": [f"PRODGEN_{part}".upper() for part in e["loc"]]} for e in error.errors()]
        raise explain_errors(errors) from None
