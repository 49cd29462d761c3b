"""``prodgen verify``: generate images again and compare them with their files."""

from collections.abc import Callable, Iterator
from itertools import count, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prodgen.cli.options import Json
from prodgen.cli.output import print_json, say
from prodgen.cli.progress import ProgressBars
from prodgen.errors import NotFound, ProdgenError

if TYPE_CHECKING:
    from prodgen.generation.engine import Engine
    from prodgen.generation.verify import Finding
    from prodgen.spec.manifest import ManifestLine


def verify(
    manifest: Annotated[
        Path,
        typer.Argument(help="manifest.jsonl beside its images, a shard, a Parquet file or a folder."),
    ],
    model: Annotated[str | None, typer.Option(help="Model that made them (default: the manifest's).")] = None,
    photos: Annotated[
        Path | None, typer.Option(help="Folder with the photographs and the backgrounds of the pictures.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Folder with the file of the cutter's network.")
    ] = None,
    root: Annotated[
        str | None, typer.Option(help="The job's Merkle root, of which the manifest must be.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a manifest's images again; exit with 1 if one differs."""
    from prodgen.cli.downloads import read_download
    from prodgen.generation.engine import Engine
    from prodgen.spec.merkle import root_of

    lines, read = read_download(manifest)
    if root and root_of(lines) != root:
        raise ProdgenError(f"{manifest} does not list the images of the root {root}", param="root")
    there = [line for line in lines if not line.deleted]
    faults, done = [], count(1)
    with Engine() as engine, ProgressBars(json) as bars:
        for ref, group in groupby(there, lambda line: line.model):
            try:
                found = findings(ref, list(group), read, model, photos, weights, engine)
            except NotFound as error:
                if model:
                    raise
                fetch = f"`prodgen models download {ref} --out FOLDER` fetches a model of a service"
                raise NotFound(f"{error}; pass its folder with --model ({fetch})") from None
            for finding in found:
                bars.report("Verifying images", next(done), len(there))
                if finding.fault:
                    faults.append(finding)
    if json:
        listed = [{"file": f.line.file, "index": f.line.index, "fault": f.fault} for f in faults]
        counts = {"images": len(there), "deleted": len(lines) - len(there), "differing": len(faults)}
        print_json({**counts, "faults": listed})
    else:
        for finding in faults:
            say(f"{finding.line.file}: {finding.fault}")
        say(f"{len(there) - len(faults)} of {len(there)} images verified")
        if len(there) < len(lines):
            say(f"deleted from the order: {len(lines) - len(there)}")
    if faults:
        raise typer.Exit(1)


def findings(
    ref: str,
    lines: "list[ManifestLine]",
    read: "Callable[[str], bytes | None]",
    model: str | None,
    photos: Path | None,
    weights: Path | None,
    engine: "Engine",
) -> "Iterator[Finding]":
    """Return an iterator of findings: makes the image of each line again by version ``ref``, and compares it.

    ``read`` returns the bytes of a line's file, or None. Raises ProdgenError if the version needs ``photos``.
    """
    from prodgen.generation.verify import verify as check
    from prodgen.models import load_model
    from prodgen.models.saved import find_model
    from prodgen.photographs.studio import load_studio
    from prodgen.photographs.verify import photographs_in, verify_pictures

    name = ref.partition("@")[0]
    if not lines[0].photo:
        return check(lines, read, load_model(model or ref, name=name, device=engine.device), engine)
    if photos is None:
        raise ProdgenError(
            f"{ref} made these pictures of photographs; name their folder with --photos", param="photos"
        )
    studio = load_studio(find_model(model or ref)[0], name, weights)
    if studio.id != ref:
        raise ProdgenError(f"{lines[0].file} was made by {ref}, not by {studio.id}")
    return verify_pictures(lines, read, studio, photographs_in(photos))
