"""Every setting of every process, read from the environment (``PRODGEN_*``)."""

from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from prodgen.spec.explain import explain_findings

DEVELOPMENT_SECRET = "development-only-secret"  # noqa: S105 - refused in production below


class Settings(BaseSettings):
    """Settings of one deployment; the defaults suit one machine in development."""

    model_config = SettingsConfigDict(env_prefix="PRODGEN_", extra="ignore")

    environment: Literal["development", "production"] = "development"
    secret_key: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")

    store_url: str = "file://./data/store"
    """``file://PATH`` or ``s3://BUCKET``."""
    s3_endpoint: str = "http://127.0.0.1:8333"
    s3_public_endpoint: str | None = None
    """Where clients reach the store, if that is not where the workers reach it."""
    s3_region: str = "us-east-1"
    s3_access_key: SecretStr = SecretStr("")
    s3_secret_key: SecretStr = SecretStr("")

    public_url: str = "http://127.0.0.1:8000"
    """Where clients reach the gateway; signed links begin with it."""
    lease_seconds: float = Field(default=30.0, gt=0)
    """How long a worker may be silent before its cells go to another."""
    tick_seconds: float = Field(default=5.0, gt=0)
    """How often maintenance looks for lost workers, lost doorbells and jobs to settle."""
    model_cache: Path = Path("~/.cache/prodgen/models")
    """Where a worker keeps the model versions that it has fetched."""
    training_folder: Path = Path("~/.cache/prodgen/training")
    """Where a training worker keeps data sets, and the runs that it works on."""
    node_address: str | None = None
    """Where other training nodes reach this one; that which reaches Redis, if left out."""
    model_memory_mb: int = Field(default=2048, ge=1)
    """MiB of models that a worker keeps in memory; those used least recently go first."""
    cache_mb: int = Field(default=51_200, ge=1)
    """MiB of fetched models in ``model_cache``, and of data sets and models in ``training_folder``, that are
    kept; those used least recently go first."""
    ready_file: Path | None = None
    """Made by a worker once it is warm, for whoever watches it."""
    max_images_per_job: int = Field(default=10_000_000, ge=1)
    link_seconds: int = Field(default=3600, ge=1, le=7 * 24 * 3600)

    @model_validator(mode="after")
    def _refuse_default_secrets(self) -> Self:
        if self.environment == "production" and self.secret_key.get_secret_value() == DEVELOPMENT_SECRET:
            raise ValueError("PRODGEN_SECRET_KEY must be set in production")
        return self


@lru_cache
def settings() -> Settings:
    """The settings of this process; raises ProdgenError naming the variable that makes no sense."""
    try:
        return Settings()
    except ValidationError as error:
        findings = [{**e, "loc": [f"PRODGEN_{part}".upper() for part in e["loc"]]} for e in error.errors()]
        raise explain_findings(findings) from None
