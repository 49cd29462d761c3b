"""``prodgen verify``: can the images be made again?"""

from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from prodgen.cli.options import Json, print_json
from prodgen.errors import NotFound, ProdgenError


def verify(
    manifest: Annotated[
        Path, typer.Argument(help="A manifest.jsonl, with its images beside it, or their folder.")
    ],
    model: Annotated[
        str | None, typer.Option(help="The model, where the manifest's name does not lead to it.")
    ] = None,
    json: Json = False,
) -> None:
    """Remake the images and compare them under the contract; exit 1 and a list where one differs."""
    from prodgen.generation.engine import Engine
    from prodgen.generation.verify import verify as check
    from prodgen.models import load_model
    from prodgen.spec.manifest import read_lines

    if manifest.is_dir():
        manifest /= "manifest.jsonl"
    if not manifest.is_file():
        raise NotFound(f"there is no manifest {manifest}")
    lines = list(read_lines(manifest.read_bytes()))
    if not lines:
        raise ProdgenError(f"{manifest} lists no image")
    faults = []
    with Engine() as engine:
        for ref, group in groupby(lines, lambda line: line.model):
            try:
                saved = load_model(model or ref, name=ref.partition("@")[0], device=engine.device)
            except NotFound as error:
                if model:
                    raise
                raise NotFound(f"{error}; pass --model with the folder that made these images") from None
            files = _Files(manifest.parent)
            faults += [finding for finding in check(group, files, saved, engine) if finding.fault]
    if json:
        listed = [{"file": f.line.file, "index": f.line.index, "fault": f.fault} for f in faults]
        print_json({"images": len(lines), "differing": len(faults), "faults": listed})
    else:
        console = Console()
        for finding in faults:
            console.print(f"{finding.line.file}: {finding.fault}")
        console.print(f"{len(lines) - len(faults)} of {len(lines)} images verified")
    if faults:
        raise typer.Exit(1)


class _Files:
    """The files of a folder by name; None for one that is not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getitem__(self, name: str) -> bytes | None:
        path = self.folder / Path(name).name
        return path.read_bytes() if path.is_file() else None
