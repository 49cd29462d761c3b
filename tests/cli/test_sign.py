"""A signed copy says who signed it and that it has not changed since; a changed copy says so too."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from prodgen.generation.encode import encode
from prodgen.spec.provenance import make_xmp
from tests.cli.conftest import Run

PIXELS = np.random.default_rng(1).integers(0, 255, (96, 96, 3), np.uint8)


class Certified:
    """A private key and its certificate, issued by ``issuer`` or else by itself, for days around today."""

    def __init__(
        self, name: str, issuer: "Certified | None" = None, days: tuple[int, int] = (-1, 30)
    ) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        by, root, today = issuer or self, issuer is None, datetime.now(UTC)
        public = self.private.public_key()
        begin, end = (today + timedelta(day) for day in days)
        usage = x509.KeyUsage(not root, False, False, False, False, root, root, False, False)
        built = (
            x509.CertificateBuilder(by.name, self.name, public, x509.random_serial_number(), begin, end)
            .add_extension(x509.BasicConstraints(root, None), True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.private.public_key()), False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
            .add_extension(usage, True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
        )
        self.pem = built.sign(by.private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def key(self, password: bytes | None = None) -> bytes:
        """Return the private key as PEM."""
        lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, lock
        )


@pytest.fixture(scope="module")
def authority() -> Certified:
    return Certified("An authority")


@pytest.fixture(scope="module")
def shop(authority: Certified) -> Certified:
    return Certified("Shop Ltd", authority)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a picture of each format that is signed; the PNG is an edited photograph."""
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    made = {
        "a.jpeg": "trainedAlgorithmicMedia",
        "b.webp": "trainedAlgorithmicMedia",
        "d.avif": "trainedAlgorithmicMedia",
        "deep/c.png": "composite",
    }
    for name, kind in made.items():
        xmp = make_xmp(kind, {"seed": 7})  # type: ignore[arg-type]
        (folder / name).write_bytes(encode(PIXELS, Path(name).suffix[1:], xmp))
    return folder


def files(folder: Path, **contents: bytes) -> list[str]:
    """Write files, and return them as options: ``--certificate FILE --key FILE``."""
    options = []
    for name, content in contents.items():
        (folder / f"{name}.pem").write_bytes(content)
        options += [f"--{name}", str(folder / f"{name}.pem")]
    return options


def test_a_copy_is_signed_and_a_changed_copy_is_found(
    run: Run, tmp_path: Path, pictures: Path, authority: Certified, shop: Certified
) -> None:
    out = tmp_path / "signed"
    words = files(tmp_path, certificate=shop.pem + authority.pem, key=shop.key())
    done = run("sign", pictures, "--out", out, *words)
    assert done.code == 0, done.err
    trust = files(tmp_path, trust=authority.pem)
    for name in ("a.jpeg", "b.webp", "d.avif", "deep/c.png"):
        read = run("provenance", out / name, *trust, "--json")
        assert read.code == 0, read.out
        record = json.loads(read.out)
        assert record["seed"] == 7
        assert record["signature"] == {"holds": True, "trusted": True, "signer": "Shop Ltd", "problems": []}
        with Image.open(pictures / name) as before, Image.open(out / name) as after:
            assert np.array_equal(np.asarray(before), np.asarray(after))

        data = bytearray((out / name).read_bytes())
        data[len(data) * 2 // 5] ^= 1  # of the pixels
        (out / name).write_bytes(data)
        read = run("provenance", out / name, "--json")
        assert read.code == 1
        signature = json.loads(read.out)["signature"]
        assert not signature["holds"]
        assert signature["problems"]

    assert run("provenance", pictures / "a.jpeg", *trust).code == 1, "it has no signature"


def test_a_signer_whom_no_authority_vouches_for_is_not_trusted(
    run: Run, tmp_path: Path, pictures: Path, authority: Certified, monkeypatch: pytest.MonkeyPatch
) -> None:
    impostor = Certified("Shop Ltd", Certified("An authority"))
    monkeypatch.setenv("PRODGEN_SIGNING_CERTIFICATE", impostor.pem.decode())
    monkeypatch.setenv("PRODGEN_SIGNING_KEY", impostor.key().decode())
    assert run("sign", pictures / "a.jpeg", "--out", tmp_path / "out").code == 0
    assert run("provenance", tmp_path / "out" / "a.jpeg").code == 0
    read = run("provenance", tmp_path / "out" / "a.jpeg", *files(tmp_path, trust=authority.pem), "--json")
    assert read.code == 1
    assert json.loads(read.out)["signature"]["trusted"] is False


def test_what_cannot_sign_or_be_signed_gets_one_sentence_and_writes_nothing(
    run: Run, tmp_path: Path, pictures: Path, authority: Certified, shop: Certified
) -> None:
    out = tmp_path / "out"
    old = Certified("Old Ltd", authority, (-9, -2))
    good = files(tmp_path, certificate=shop.pem, key=shop.key())
    bare = tmp_path / "bare.png"
    Image.fromarray(PIXELS).save(bare)
    gif = tmp_path / "a.gif"
    Image.fromarray(PIXELS).save(gif)
    text = tmp_path / "a.txt"
    text.write_text("no picture")

    def sentence(*words: object) -> str:
        done = run("sign", *words, "--out", out)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), done
        assert "PRIVATE" not in done.err
        assert not out.exists() or not any(out.iterdir())
        return done.err

    assert "has no marks of prodgen" in sentence(pictures, bare, *good)
    assert "has no marks of prodgen" in sentence(gif, *good)
    assert "is no picture" in sentence(text, *good)
    assert "have one name" in sentence(pictures, pictures / "a.jpeg", *good)
    assert "PRODGEN_SIGNING_KEY" in sentence(pictures, *good[:2])
    for wrong, expected in (
        ({"certificate": old.pem, "key": old.key()}, "expired on"),
        ({"certificate": shop.pem, "key": authority.key()}, "does not belong to the first certificate"),
        ({"certificate": b"x", "key": shop.key()}, "no certificates in PEM"),
        ({"certificate": shop.pem, "key": b"-----BEGIN PRIVATE KEY-----"}, "no private key in PEM"),
        ({"certificate": shop.pem, "key": shop.key(b"word")}, "has a password"),
        ({"certificate": authority.pem, "key": authority.key()}, "cannot be signed with this certificate"),
    ):
        assert expected in sentence(pictures, *files(tmp_path, **wrong))
    for line, expected in (
        ('{"file": "/etc/a.jpeg"}', "is not in it"),
        ('{"name": "a"}', "is no manifest of"),
    ):
        (pictures / "manifest.jsonl").write_text(line)
        assert expected in sentence(pictures, *good)
