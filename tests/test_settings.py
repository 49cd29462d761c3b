"""A setting that would leave a deployment open, or hang it, stops the process at its start."""

import pytest

from prodgen.errors import ProdgenError
from prodgen.settings import Settings, settings

LONG = "0123456789abcdef0123456789abcdef"
ON_LOOPBACK = ("http://127.0.0.1:8000", "http://localhost:8000", "http://127.8.8.8", "https://[::1]:8000")
ELSEWHERE = (
    "https://images.example",
    "http://0.0.0.0:8000",
    "http://127.0.0.1@images.example",
    "",
    "localhost",
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove this machine's own settings."""
    for name in ("ENVIRONMENT", "SECRET_KEY", "PUBLIC_URL", "LEASE_SECONDS", "TICK_SECONDS", "CACHE_MB"):
        monkeypatch.delenv(f"PRODGEN_{name}", raising=False)


def read(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    """Read the settings from these variables, as a process does at its start."""
    for name, value in variables.items():
        monkeypatch.setenv(f"PRODGEN_{name.upper()}", value)
    settings.cache_clear()
    try:
        return settings()
    finally:
        settings.cache_clear()


def secret(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    return read(monkeypatch, **variables).secret_key.get_secret_value()


@pytest.mark.parametrize("url", ON_LOOPBACK)
def test_one_machine_in_development_needs_no_secret(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    made = secret(monkeypatch, public_url=url)
    assert len(made) >= 32
    assert made != secret(monkeypatch, public_url=url), "a secret in the source is none"
    assert secret(monkeypatch, public_url=url, secret_key="short") == "short"


@pytest.mark.parametrize("url", ELSEWHERE)
@pytest.mark.parametrize("given", [{}, {"secret_key": ""}, {"secret_key": "short"}, {"secret_key": LONG[1:]}])
def test_a_gateway_for_others_needs_a_long_secret(
    monkeypatch: pytest.MonkeyPatch, url: str, given: dict[str, str]
) -> None:
    with pytest.raises(ProdgenError, match="PRODGEN_SECRET_KEY must have at least 32 characters"):
        read(monkeypatch, public_url=url, **given)


@pytest.mark.parametrize("given", [{}, {"secret_key": ""}, {"secret_key": "development-only-secret"}])
def test_production_needs_a_long_secret_wherever_it_serves(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    with pytest.raises(ProdgenError, match="PRODGEN_SECRET_KEY must have at least 32 characters"):
        read(monkeypatch, environment="production", **given)


@pytest.mark.parametrize("empty", ["", " " * 40])
def test_an_empty_secret_never_passes(monkeypatch: pytest.MonkeyPatch, empty: str) -> None:
    with pytest.raises(ProdgenError, match="PRODGEN_SECRET_KEY must have at least 32 characters"):
        read(monkeypatch, secret_key=empty)


@pytest.mark.parametrize("url", [*ON_LOOPBACK, *ELSEWHERE])
def test_a_long_secret_serves_everywhere(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert secret(monkeypatch, environment="production", public_url=url, secret_key=LONG) == LONG


@pytest.mark.parametrize("name", ["lease_seconds", "tick_seconds", "cache_mb"])
@pytest.mark.parametrize("value", ["1e999", "inf", "-inf", "nan", "0", "-1", "soon"])
def test_a_number_that_is_none_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(ProdgenError, match=f"PRODGEN_{name.upper()} must be"):
        read(monkeypatch, **{name: value})
