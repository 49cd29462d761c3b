"""``prodgen verify``: generate images again and compare them with their files."""

from itertools import count, groupby
from pathlib import Path
from typing import Annotated

import typer

from prodgen.cli.options import Json
from prodgen.cli.output import print_json, say
from prodgen.cli.progress import ProgressBars
from prodgen.errors import NotFound, ProdgenError


def verify(
    manifest: Annotated[Path, typer.Argument(help="manifest.jsonl beside its images, or their folder.")],
    model: Annotated[str | None, typer.Option(help="Model that made them (default: the manifest's).")] = None,
    json: Json = False,
) -> None:
    """Generate a manifest's images again; exit with 1 if one differs."""
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

    def read(name: str) -> bytes | None:
        path = manifest.parent / name
        inside = path.resolve().is_relative_to(manifest.parent.resolve())
        return path.read_bytes() if inside and path.is_file() else None

    faults, done = [], count(1)
    with Engine() as engine, ProgressBars(json) as bars:
        for ref, group in groupby(lines, lambda line: line.model):
            try:
                saved = load_model(model or ref, name=ref.partition("@")[0], device=engine.device)
            except NotFound as error:
                if model:
                    raise
                fetch = f"`prodgen models download {ref} --out FOLDER` fetches a model of a service"
                raise NotFound(f"{error}; pass its folder with --model ({fetch})") from None
            for finding in check(group, read, saved, engine):
                bars.report("Verifying images", next(done), len(lines))
                if finding.fault:
                    faults.append(finding)
    if json:
        listed = [{"file": f.line.file, "index": f.line.index, "fault": f.fault} for f in faults]
        print_json({"images": len(lines), "differing": len(faults), "faults": listed})
    else:
        for finding in faults:
            say(f"{finding.line.file}: {finding.fault}")
        say(f"{len(lines) - len(faults)} of {len(lines)} images verified")
    if faults:
        raise typer.Exit(1)
