"""Names and ids that become part of keys, paths and URLs."""

import hashlib
import re

from prodgen.errors import ProdgenError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def check_name(name: str, param: str | None = None) -> str:
    """Return ``name`` if it is safe in a key, a path and a URL; raises ProdgenError otherwise."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise ProdgenError(
            f"{name!r} is not a valid name; use letters, digits, '.', '_' and '-' (at most 128 characters)",
            param=param,
        )
    return name


def stable_id(tenant: str, idempotency_key: str) -> str:
    """Return the id (24 hex digits) of a job or run. The same tenant and key always give the same id."""
    return hashlib.sha256(f"{tenant}\n{idempotency_key}".encode()).hexdigest()[:24]
