"""``prodgen data inspect``, ``clean`` and ``prepare``: from photographs to what can be trained on."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prodgen.catalog.photographs.flags import LARGEST, SMALLEST, USUAL, check_flags, check_kind
from prodgen.cli.bars import Bars
from prodgen.cli.generate import make_folder
from prodgen.cli.options import Json, print_json
from prodgen.cli.remote import console, results
from prodgen.client import Client
from prodgen.errors import ProdgenError
from prodgen.spec.names import check_name

if TYPE_CHECKING:
    from prodgen.catalog.photographs.inspect import Finding, Inspection

Data = Annotated[Path, typer.Argument(help="A folder of pictures.")]
_SAID = 10
"""Pictures that are named on the screen; the files have all."""


def inspect(
    data: Data,
    out: Annotated[Path | None, typer.Option(help="A folder for report.jsonl and flagged.png.")] = None,
    json: Json = False,
) -> None:
    """Say what is wrong with which picture: nothing is changed, nothing dropped."""
    found = _inspected(data, json)
    if out:
        from prodgen.catalog.photographs.findings import write_inspection

        make_folder(out)
        write_inspection(out, data, found)
    flagged = [finding for finding in found.findings if finding.flags]
    if json:
        pictures = [finding._asdict() for finding in flagged]
        print_json(_summary(data, found) | {"flagged": len(flagged), "pictures": pictures})
        return
    _say_found(data, found)
    _name(flagged)
    if out:
        console.print(f"all of it is in {out}", markup=False)


def clean(
    data: Data,
    out: Annotated[Path, typer.Option(help="A new folder for the pictures that are kept.")],
    drop: Annotated[
        str | None,
        typer.Option(help="What to leave out, of what inspect names; all but outliers."),
    ] = None,
    json: Json = False,
) -> None:
    """Copy a folder without the pictures that inspect finds fault with; DATA stays as it is.

    OUT has what is kept, dropped.jsonl with the reason for each of the others, and dropped.png.
    """
    from prodgen.catalog.photographs.clean import clean as copy
    from prodgen.catalog.photographs.clean import to_drop

    found = _inspected(data, json)
    dropped = to_drop(found, _flags(drop))
    if not json:
        _say_found(data, found)
        results.print(f"to be left out: {len(dropped)}")
        _name(dropped)
    kept = copy(data, out, found, dropped)
    if json:
        pictures = [finding._asdict() for finding in dropped]
        print_json(_summary(data, found) | {"out": str(out), "kept": kept, "dropped": pictures})
    else:
        console.print(f"{kept} pictures are in {out}; dropped.jsonl has the others", markup=False)


def prepare(
    data: Annotated[str, typer.Argument(help="A folder of pictures; with --queue also NAME@VERSION.")],
    out: Annotated[Path | None, typer.Option(help="A new folder for the prepared catalogue.")] = None,
    size: Annotated[int, typer.Option(help="Side of the cut-outs in pixels.")] = 64,
    queue: Annotated[bool, typer.Option("--queue", help="Prepare on the service, not here.")] = False,
    name: Annotated[str | None, typer.Option(help="With --queue: of the data set that comes of it.")] = None,
    drop: Annotated[
        str | None, typer.Option(help="With --queue: what to leave out first, as data clean does.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="With --queue: the same key queues one run.")] = None,
    json: Json = False,
) -> None:
    """Cut each product out of its photograph, centre it, and name its colours.

    OUT can be trained on. It also has preview.png, set-aside.jsonl with the reason for each picture that
    could not be cut out well, and set-aside.png. With --queue the service cleans and prepares, and keeps what
    comes of it as a data set; reads PRODGEN_URL and PRODGEN_API_KEY.
    """
    if not SMALLEST <= size <= LARGEST:
        raise ProdgenError(f"size {size} is not from {SMALLEST} to {LARGEST}", param="size")
    if queue:
        if out:
            raise ProdgenError("--out is for preparing here; the service keeps what it makes as a data set")
        from prodgen.cli.queue import queue_run

        if name:
            check_name(name)
        if Path(data).exists():
            _check_folder(Path(data))
        spec = {"size": size, "name": name, "drop": _flags(drop)}
        queue_run(Client.prepare, spec, data, key, json, trains=False)
    elif out is None:
        raise ProdgenError("where should the cut-outs go? name a folder with --out, or --queue the run")
    elif (name, drop, key) != (None, None, None):
        raise ProdgenError("--name, --drop and --key are for --queue; prodgen data clean drops pictures here")
    else:
        _prepare_here(Path(data), out, size, json)


def _prepare_here(data: Path, out: Path, size: int, json: bool) -> None:
    from prodgen.catalog.photographs.prepare import prepare as make

    _check_folder(data)
    with Bars(json) as bars:
        said, aside = make(data, out, size, bars.report)
    if json:
        print_json({"out": str(out)} | said | {"set_aside": aside})
        return
    for split, count in said["splits"].items():
        results.print(f"{split:12} {count}", markup=False)
    for name, values in said["attributes"].items():
        results.print(f"{name:12} {' '.join(values)}", markup=False)
    results.print(f"{'set aside':12} {said['set_aside_count']} of {said['source_count']}")
    for reason, count in Counter(row["reason"] for row in aside).most_common():
        results.print(f"  {count:6} {reason}", markup=False, soft_wrap=True)
    console.print(f"look at {out}/preview.png and {out}/set-aside.png", markup=False)


def _flags(drop: str | None) -> list[str]:
    """What is to be dropped."""
    flags = USUAL if drop is None else [flag.strip() for flag in drop.split(",") if flag.strip()]
    check_flags(flags)
    return [*flags]


def _inspected(data: Path, quiet: bool) -> "Inspection":
    from prodgen.catalog.photographs.inspect import inspect as look

    _check_folder(data)
    with Bars(quiet) as bars:
        return look(data, bars.report)


def _check_folder(data: Path) -> None:
    from prodgen.catalog.formats import kind

    check_kind(str(data), kind(data))


def _summary(data: Path, found: "Inspection") -> dict[str, Any]:
    return {"data": str(data), "images": len(found.findings), "flags": found.counts()}


def _say_found(data: Path, found: "Inspection") -> None:
    from prodgen.catalog.picture_files import printable

    for name, value in (("data", printable(data)), ("images", len(found.findings)), *found.counts().items()):
        results.print(f"{name:12} {value}", markup=False)


def _name(findings: "list[Finding]") -> None:
    from prodgen.catalog.picture_files import printable

    for finding in findings[:_SAID]:
        line = f"  {finding.file}: {'; '.join(finding.flags.values())}"
        results.print(printable(line), markup=False, soft_wrap=True)
    if len(findings) > _SAID:
        results.print(f"  ... and {len(findings) - _SAID} more")
