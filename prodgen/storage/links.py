"""Signed links: whoever holds one may download that object, or those bytes of it, until it expires."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from prodgen.errors import ProdgenError
from prodgen.storage.base import check_key


class LinkRefused(ProdgenError):
    """The link is not one of ours, was altered, or has expired."""

    code = "forbidden"


@dataclass(frozen=True)
class SignedRange:
    """What a link allows: these bytes of this object (``length`` None: to the end), under this file name."""

    key: str
    file_name: str
    offset: int
    length: int | None


def sign(
    secret: str,
    public_url: str,
    key: str,
    seconds: int,
    file_name: str,
    offset: int | None = None,
    length: int | None = None,
) -> str:
    """The URL at the gateway of an object, or of a part of it (a member of a tar), for so many seconds."""
    parameters = {"expires": str(int(time.time()) + seconds), "name": file_name}
    if offset is not None:
        parameters["offset"] = str(offset)
    if length is not None:
        parameters["length"] = str(length)
    parameters["signature"] = _signature(secret, key, parameters)
    return f"{public_url.rstrip('/')}/v1/objects/{quote(check_key(key))}?{urlencode(parameters)}"


def verify(secret: str, key: str, parameters: Mapping[str, str]) -> SignedRange:
    """What the link to ``key`` with these query parameters allows; raises LinkRefused if it is not valid."""
    signed = {
        name: parameters[name] for name in ("expires", "name", "offset", "length") if name in parameters
    }
    expected = _signature(secret, key, signed)
    if not hmac.compare_digest(expected.encode(), _bytes(parameters.get("signature", ""))):
        raise LinkRefused("this link is not valid; ask for a new one")
    if time.time() >= int(signed["expires"]):
        raise LinkRefused("this link has expired; ask for a new one")
    length = signed.get("length")
    return SignedRange(
        key, signed["name"], int(signed.get("offset", "0")), None if length is None else int(length)
    )


def content_disposition(file_name: str) -> str:
    """The header by which a browser saves a download under ``file_name``, whatever its letters (RFC 6266)."""
    plain = "".join(c if 32 <= ord(c) < 127 and c not in '"\\%;/' else "_" for c in file_name)
    header = f'attachment; filename="{plain}"'
    if plain == file_name:
        return header
    return f"{header}; filename*=UTF-8''{quote(_bytes(file_name), safe='')}"


def _signature(secret: str, key: str, parameters: Mapping[str, str]) -> str:
    """Every field is quoted and named, so no two links have one text; the first line is for links alone."""
    fields = urlencode({name: _bytes(text) for name, text in parameters.items()})
    text = f"prodgen link\n{quote(_bytes(key))}\n{fields}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _bytes(text: str) -> bytes:
    """UTF-8 of any string, lone surrogates included."""
    return text.encode(errors="surrogatepass")
