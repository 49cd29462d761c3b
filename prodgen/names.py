"""Names that become part of keys, paths and URLs."""

import re

from prodgen.errors import ProdgenError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def check_name(name: str) -> str:
    """``name`` itself if it is safe in a key; raises ProdgenError otherwise."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise ProdgenError(
            f"{name!r} is not a valid name; use letters, digits, '.', '_' and '-' (at most 128 characters)"
        )
    return name
