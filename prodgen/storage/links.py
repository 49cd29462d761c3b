"""Signed links: anyone who holds one may download an object, or a range of its bytes, until it expires."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from prodgen.errors import ProdgenError
from prodgen.storage.base import check_key
from prodgen.storage.keys import SHARED, TENANTS


class LinkRefused(ProdgenError):
    """The link was not signed with this deployment's secret, was altered, or has expired."""

    code = "forbidden"


@dataclass(frozen=True)
class SignedRange:
    """The part of an object that a link opens: ``length`` bytes (None: all) from ``offset``."""

    key: str
    file_name: str
    offset: int
    length: int | None


def check_linkable(key: str) -> str:
    """Return ``key`` if its object belongs to a tenant or is shared; raises ProdgenError otherwise."""
    if not check_key(key).startswith((TENANTS, SHARED)):
        raise ProdgenError(f"no link may lead to {key!r}: it is not below {TENANTS} or {SHARED}")
    return key


def sign(
    secret: str,
    public_url: str,
    key: str,
    seconds: int,
    file_name: str,
    offset: int | None = None,
    length: int | None = None,
) -> str:
    """Return a gateway URL for an object or a range of its bytes. The URL expires after ``seconds``.

    Raises ProdgenError if no link may lead to ``key`` (see `check_linkable`).
    """
    given = {"expires": int(time.time()) + seconds, "name": file_name, "offset": offset, "length": length}
    parameters = {name: str(value) for name, value in given.items() if value is not None}
    parameters["signature"] = _signature(secret, key, parameters)
    return f"{public_url.rstrip('/')}/v1/objects/{quote(check_linkable(key))}?{urlencode(parameters)}"


def verify(secret: str, key: str, parameters: Mapping[str, str]) -> SignedRange:
    """Check the query parameters of a link to ``key``; return the bytes and the file name that it allows.

    Raises LinkRefused if the signature is wrong or the link has expired.
    """
    signed = {
        name: parameters[name] for name in ("expires", "name", "offset", "length") if name in parameters
    }
    expected = _signature(secret, key, signed)
    is_ours = hmac.compare_digest(expected.encode(), _bytes(parameters.get("signature", "")))
    if not is_ours or not key.startswith((TENANTS, SHARED)):
        raise LinkRefused("this link is not valid; ask for a new one")
    if time.time() >= int(signed["expires"]):
        raise LinkRefused("this link has expired; ask for a new one")
    length = signed.get("length")
    return SignedRange(
        key, signed["name"], int(signed.get("offset", "0")), None if length is None else int(length)
    )


def sign_path(secret: str, path: str, parameters: Mapping[str, str]) -> str:
    """Return a signature for a path of the gateway and its query parameters. The path begins with a slash."""
    return _signature(secret, path, parameters)


def check_signature(secret: str, path: str, parameters: Mapping[str, str]) -> None:
    """Raise LinkRefused if the parameter ``signature`` is wrong, or the time in ``expires`` is over."""
    signed = {name: text for name, text in parameters.items() if name != "signature"}
    expected = sign_path(secret, path, signed)
    if not hmac.compare_digest(expected.encode(), _bytes(parameters.get("signature", ""))):
        raise LinkRefused("this link is not valid; ask for a new one")
    if "expires" in signed and time.time() >= int(signed["expires"]):
        raise LinkRefused("this link has expired; ask for a new one")


def content_disposition(file_name: str) -> str:
    """Return a Content-Disposition header that makes browsers save a download as ``file_name`` (RFC 6266)."""
    plain = "".join(c if 32 <= ord(c) < 127 and c not in '"\\%;/' else "_" for c in file_name)
    header = f'attachment; filename="{plain}"'
    if plain == file_name:
        return header
    return f"{header}; filename*=UTF-8''{quote(_bytes(file_name), safe='')}"


def _signature(secret: str, key: str, parameters: Mapping[str, str]) -> str:
    """Return the signature (hexadecimal) of a link's key and parameters.

    Both are quoted, so that two different links never have the same signed text. The text begins with
    "prodgen link", so that a signature for another purpose with the same secret is no link.
    """
    fields = urlencode({name: _bytes(text) for name, text in parameters.items()})
    text = f"prodgen link\n{quote(_bytes(key))}\n{fields}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _bytes(text: str) -> bytes:
    """Encode any string as UTF-8, lone surrogates included."""
    return text.encode(errors="surrogatepass")
