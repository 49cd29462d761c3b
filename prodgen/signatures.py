"""Sign copies of pictures by C2PA with a certificate, and check such signatures (extra ``c2pa``).

To sign a picture is to add a signed manifest to its file. The manifest says how the picture was made, and has
a digest of the rest of the file. Each manifest has a new id, so two signed copies of one picture differ.
"""

import hashlib
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from PIL import Image

import prodgen
from prodgen.errors import ProdgenError
from prodgen.spec.photograph import FORMATS as PICTURES
from prodgen.spec.provenance import GENERATED, VOCABULARY, Provenance, read_provenance

if TYPE_CHECKING:
    from c2pa import Context
    from cryptography.x509 import Certificate

FORMATS = ("png", "jpeg", "webp", "avif")
"""The formats of pictures that prodgen can sign."""

_SETTINGS = {
    "version": 1,
    "builder": {"thumbnail": {"enabled": False}},
    # A picture from anywhere must not choose addresses to connect to.
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_UNTRUSTED = "signingCredential.untrusted"


class Signature(NamedTuple):
    """A signature in a picture's file.

    ``holds``: whether the signature is genuine and the file was not changed after it; if not, ``problems``
    says why. ``trusted``: whether an authority that the reader trusts has issued the certificate. ``signer``:
    the name in the certificate; if ``trusted`` is False, anybody may have written it. These three are None if
    the library c2pa is not installed.
    """

    holds: bool | None
    trusted: bool | None
    signer: str | None
    problems: tuple[str, ...] = ()


class Signer:
    """Signs pictures with a certificate.

    ``certificate``: a chain of certificates in PEM; the first is the signer's. ``key``: the private key of
    the first certificate in PEM, without a password: EC, RSA or Ed25519. Raises ProdgenError if the two do
    not belong together, are not valid now, or have another form.
    """

    def __init__(self, certificate: bytes, key: bytes) -> None:
        _check_library()
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization

        chain = _certificates(certificate, "the certificate's file")
        try:
            private = serialization.load_pem_private_key(key, None)
        except TypeError:  # of cryptography, for a missing password
            raise ProdgenError("the key has a password; sign with a key in PEM without one") from None
        except (ValueError, UnsupportedAlgorithm):
            raise ProdgenError("the key is no private key in PEM") from None
        if private.public_key() != chain[0].public_key():
            raise ProdgenError(f"the key does not belong to the first certificate, of {_name(chain[0])}")
        for one in chain:
            _check_dates(one)
        self._algorithm = _algorithm(private)
        self._certificate = certificate
        self._key = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def sign(self, data: bytes) -> bytes:
        """Return a copy of the picture file ``data`` with a signed manifest: how prodgen made the picture.

        Raises ProdgenError as `read_marks` does, and if C2PA does not allow the certificate.
        """
        from c2pa import Builder, C2paError, C2paSignerInfo
        from c2pa import Signer as Native

        format, made = read_marks(io.BytesIO(data))
        out = io.BytesIO()
        try:
            native = Native.from_info(C2paSignerInfo(self._algorithm, self._certificate, self._key, None))
            with native, Builder(_manifest(made), context=_context()) as builder:
                builder.sign(native, f"image/{format}", io.BytesIO(data), out)
        except C2paError as error:
            raise ProdgenError(
                f"the picture cannot be signed with this certificate: {_reason(error)}"
            ) from None
        return out.getvalue()


def read_marks(file: Path | IO[bytes]) -> tuple[str, Provenance]:
    """Return the format and the marks of a picture that can be signed.

    Raises ProdgenError if the picture has no recipe of prodgen, or its format is not in `FORMATS`.
    """
    where = file if isinstance(file, Path) else "the file"
    made = read_provenance(file)
    if made.recipe is None or made.digital_source_type is None:
        raise ProdgenError(
            f"{where} has no marks of prodgen that say how it was made, so it cannot be signed"
        )
    if not isinstance(file, Path):
        file.seek(0)
    with Image.open(file, formats=PICTURES) as image:
        format = (image.format or "").lower()
    if format not in FORMATS:
        raise ProdgenError(f"{where} is {format.upper()}; {', '.join(FORMATS)} can be signed")
    return format, made


def read_signature(file: Path, trust: bytes | None = None) -> Signature | None:
    """Return the C2PA signature in a picture's file, by any program, or None if the file has no signature.

    ``trust``: the certificates, in PEM, of the authorities that the reader trusts.
    """
    data = file.read_bytes()
    if b"jumb" not in data or b"c2pa" not in data:  # the boxes of every manifest
        return None
    try:
        from c2pa import C2paError, Reader
    except ImportError:
        return Signature(None, None, None, ("not checked: pip install 'prodgen[c2pa]'",))
    with Image.open(io.BytesIO(data), formats=PICTURES) as image:
        kind = Image.MIME[image.format or ""]
    try:
        with Reader(kind, io.BytesIO(data), context=_context(trust)) as reader:
            found = json.loads(reader.json())
    except C2paError.ManifestNotFound:
        return None
    except C2paError as error:
        return Signature(False, False, None, (_reason(error),))
    problems = [one for one in found.get("validation_status", ()) if one["code"] != _UNTRUSTED]
    signed_by = found["manifests"][found["active_manifest"]].get("signature_info", {})
    names = dict.fromkeys(filter(None, (signed_by.get("common_name"), signed_by.get("issuer"))))
    return Signature(
        found["validation_state"] != "Invalid",
        found["validation_state"] == "Trusted",
        ", ".join(names) or None,
        tuple(dict.fromkeys(one.get("explanation") or one["code"] for one in problems)),
    )


def _manifest(made: Provenance) -> dict[str, Any]:
    """Return C2PA's manifest for a picture with the marks ``made``."""
    recipe = json.dumps(made.recipe, sort_keys=True, separators=(",", ":")).encode()
    action = {
        "digitalSourceType": f"{VOCABULARY}{made.digital_source_type}",
        "softwareAgent": {"name": "prodgen"},
        "parameters": {"dev.prodgen.recipe_sha256": hashlib.sha256(recipe).hexdigest()},
    }
    kinds = ["c2pa.created"] if made.digital_source_type == GENERATED else ["c2pa.created", "c2pa.edited"]
    actions = [{"action": kind, **action} for kind in kinds]
    return {
        "claim_generator_info": [{"name": "prodgen", "version": prodgen.__version__}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}],
    }


def _context(trust: bytes | None = None) -> "Context":
    from c2pa import Context

    if trust is None:
        return Context.from_dict(_SETTINGS)
    _certificates(trust, "the file of trusted authorities")
    return Context.from_dict({**_SETTINGS, "trust": {"user_anchors": trust.decode(errors="replace")}})


def _certificates(pem: bytes, where: str) -> "list[Certificate]":
    from cryptography.x509 import load_pem_x509_certificates

    try:
        return load_pem_x509_certificates(pem)
    except ValueError:
        raise ProdgenError(f"{where} has no certificates in PEM") from None


def _check_dates(certificate: "Certificate") -> None:
    now = datetime.now(UTC)
    if now > certificate.not_valid_after_utc:
        ended = certificate.not_valid_after_utc.date()
        raise ProdgenError(
            f"the certificate of {_name(certificate)} expired on {ended}; sign with a valid one"
        )
    if now < certificate.not_valid_before_utc:
        begins = certificate.not_valid_before_utc.date()
        raise ProdgenError(f"the certificate of {_name(certificate)} is not valid before {begins}")


def _algorithm(key: object) -> str:
    """Return C2PA's name for the algorithm of a private key. Raises ProdgenError for an unsupported key."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    raise ProdgenError("C2PA knows no signatures by such a key; it takes EC P-256 to P-521, RSA and Ed25519")


def _name(certificate: "Certificate") -> str:
    return certificate.subject.rfc4514_string()


def _reason(error: Exception) -> str:
    """Return the message of c2pa's error on one line, without the name of the error's type."""
    text = " ".join(str(error).split())
    return text.partition(": ")[2] or text


def _check_library() -> None:
    try:
        import c2pa  # noqa: F401
    except ImportError:
        raise ProdgenError("signatures need the library c2pa: pip install 'prodgen[c2pa]'") from None
