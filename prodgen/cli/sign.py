"""``prodgen sign``: write signed copies of pictures (C2PA)."""

import os
from pathlib import Path
from typing import Annotated

import typer

from prodgen.cli.edit import pictures_in
from prodgen.cli.folders import check_folder, writing
from prodgen.cli.options import Json
from prodgen.cli.output import report
from prodgen.cli.progress import ProgressBars
from prodgen.errors import ProdgenError

_CERTIFICATE, _KEY = "PRODGEN_SIGNING_CERTIFICATE", "PRODGEN_SIGNING_KEY"


def sign(
    pictures: Annotated[list[Path], typer.Argument(help="Pictures of prodgen, or folders of them.")],
    out: Annotated[Path, typer.Option(help="New folder for the signed copies.")],
    certificate: Annotated[
        Path | None,
        typer.Option(help=f"PEM file of the chain, yours first (default: text in {_CERTIFICATE})."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help=f"PEM file of its private key (default: text in {_KEY}).")
    ] = None,
    json: Json = False,
) -> None:
    """Write copies of pictures, signed by C2PA with your certificate.

    A copy has the same pixels and marks, and a signed manifest that says how the picture was made. The
    pictures themselves stay as they are.
    """
    from prodgen.signatures import Signer, read_marks

    signer = Signer(_pem(certificate, _CERTIFICATE, "certificate"), _pem(key, _KEY, "key"))
    copies = _copies(pictures)
    check_folder(out)
    if out.exists() and any(out.iterdir()):
        raise ProdgenError(f"{out} already holds files; choose another folder", param="out")
    for file in copies.values():  # before the first copy is written
        read_marks(file)
    with writing(out), ProgressBars(json) as bars:
        for done, (name, file) in enumerate(copies.items(), 1):
            data = signer.sign(file.read_bytes())
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_bytes(data)
            bars.report("Pictures", done, len(copies))
    report(json, {"out": str(out), "pictures": len(copies)}, f"{len(copies)} signed copies in {out}")


def _pem(file: Path | None, variable: str, option: str) -> bytes:
    if file:
        return file.read_bytes()
    if text := os.environ.get(variable):
        return text.encode()
    raise ProdgenError(f"name a PEM file with --{option}, or put its text into {variable}", param=option)


def _copies(pictures: list[Path]) -> dict[Path, Path]:
    """Return the file to sign for the name of each copy. Files in folders keep their sub-folders.

    Raises ProdgenError if two files would get the same name.
    """
    copies: dict[Path, Path] = {}
    for path in pictures:
        for file in pictures_in([path]):
            name = Path(os.path.relpath(file, path) if path.is_dir() else file.name)
            if ".." in name.parts:  # in a manifest.jsonl
                raise ProdgenError(f"{path} names the picture {name}, which is not in it", param="pictures")
            if name in copies:
                raise ProdgenError(
                    f"{file} and {copies[name]} have one name; sign them apart", param="pictures"
                )
            copies[name] = file
    return copies
