"""Sessions of browsers: a signed cookie names the API key with which a person has signed in.

The cookie holds the digest of the key, not its secret. A session ends when the key is revoked.
"""

import hmac

from fastapi import HTTPException
from itsdangerous import BadSignature, Signer, TimestampSigner

COOKIE = "prodgen_session"
SECONDS = 30 * 24 * 3600
"""Seconds for which a session lasts."""
TOKEN_HEADER, TOKEN_FIELD = "X-CSRF-Token", "csrf_token"
"""The header and the form field for the token, by which a studio page proves that it sends the request."""


def start(secret: str, digest: str) -> str:
    """Return the cookie of a new session for the API key with this digest."""
    return _signer(secret).sign(digest).decode()


def key_digest(secret: str, cookie: str) -> str | None:
    """Return the digest of the session's API key, or None for a forged, changed or expired cookie."""
    try:
        return _signer(secret).unsign(cookie, max_age=SECONDS).decode()
    except BadSignature:
        return None


def token(secret: str, cookie: str) -> str:
    """Return the token that a page of the session sends with each change."""
    return Signer(secret, salt="prodgen csrf").get_signature(cookie).decode()


def check_token(secret: str, cookie: str, sent: str) -> None:
    """Raise HTTPException 403 unless ``sent`` is the token of the session."""
    if not hmac.compare_digest(token(secret, cookie).encode(), sent.encode()):
        raise HTTPException(403, "the request has no valid token of its session; load the page again")


def _signer(secret: str) -> TimestampSigner:
    return TimestampSigner(secret, salt="prodgen session")
