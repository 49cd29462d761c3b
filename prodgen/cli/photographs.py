"""``prodgen data inspect``, ``clean`` and ``prepare``: turn photographs into data to train on."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prodgen.catalog.photographs.atomic_folder import check_new_folder
from prodgen.catalog.photographs.flags import DEFAULT_DROP, MAX_SIZE, MIN_SIZE, check_flags, check_kind
from prodgen.cli.folders import check_folder, writing
from prodgen.cli.options import Cutter, Json, Key, Weights
from prodgen.cli.output import print_json, remark, remark_reading, say
from prodgen.cli.progress import ProgressBars
from prodgen.client import Client
from prodgen.errors import ProdgenError
from prodgen.spec.names import check_name

if TYPE_CHECKING:
    from prodgen.catalog.photographs.inspection import Finding, Inspection

Data = Annotated[Path, typer.Argument(help="Folder of pictures.")]
_NAMED = 10
"""Largest number of pictures that a command lists on the screen. The files of the report list all of them."""


def inspect(
    data: Data,
    out: Annotated[Path | None, typer.Option(help="Folder for report.jsonl and flagged.png.")] = None,
    json: Json = False,
) -> None:
    """Report the faults of pictures; change nothing."""
    if out:
        check_folder(out)
    found = _inspect(data, json)
    if out:
        from prodgen.catalog.photographs.inspection import write_inspection

        with writing(out):
            write_inspection(out, data, found)
    flagged = [finding for finding in found.findings if finding.flags]
    if json:
        pictures = [finding._asdict() for finding in flagged]
        print_json(_summary(data, found) | {"flagged": len(flagged), "pictures": pictures})
        return
    _say(data, found, flagged)
    if out:
        remark(f"all of it is in {out}")


def clean(
    data: Data,
    out: Annotated[Path, typer.Option(help="New folder for the good pictures.")],
    drop: Annotated[
        str | None, typer.Option(help="Faults to leave out, with commas (default: all but outliers).")
    ] = None,
    json: Json = False,
) -> None:
    """Copy a folder without the pictures that have faults.

    OUT also gets dropped.jsonl with the faults of the pictures that are left out, and dropped.png.
    """
    from prodgen.catalog.photographs.inspection import clean as copy
    from prodgen.catalog.photographs.inspection import to_drop

    flags = _flags(drop)
    check_new_folder(out, data)
    check_folder(out)
    found = _inspect(data, json)
    dropped = to_drop(found, flags)
    if not json:
        _say(data, found, dropped, f"to be left out: {len(dropped)}")
    with writing(out.absolute().parent, make=False):  # the copy makes OUT when it is complete
        kept = copy(data, out, found, dropped)
    if json:
        pictures = [finding._asdict() for finding in dropped]
        print_json(_summary(data, found) | {"out": str(out), "kept": kept, "dropped": pictures})
    else:
        others = "dropped.jsonl has the others" if dropped else "none was left out"
        remark(f"{kept} pictures are in {out}; {others}")


def prepare(
    data: Annotated[str, typer.Argument(help="Folder of pictures; with --queue also NAME or NAME@VERSION.")],
    out: Annotated[Path | None, typer.Option(help="New folder for the cut-outs.")] = None,
    size: Annotated[int, typer.Option(help="Side of the cut-outs in pixels.")] = 64,
    cutter: Cutter = None,
    weights: Weights = None,
    merge: Annotated[
        list[str] | None, typer.Option(help="Categories to merge, such as polo,blouse=shirt; repeatable.")
    ] = None,
    queue: Annotated[bool, typer.Option("--queue", help="Prepare on the service instead of here.")] = False,
    name: Annotated[
        str | None, typer.Option(help="With --queue: name of the data set (default: NAME-SIZE).")
    ] = None,
    drop: Annotated[
        str | None, typer.Option(help="With --queue: faults to leave out (default: all but outliers).")
    ] = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Cut products out of photographs and measure their colours.

    OUT can be trained on. It also gets preview.png, set-aside.jsonl with the reason for each picture that
    could not be cut out well, and set-aside.png. After an interruption, the same command goes on, unless the
    cutter is grabcut. With --queue the service cleans and prepares, and stores the cut-outs as a data set
    (PRODGEN_URL, PRODGEN_API_KEY).
    """
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise ProdgenError(f"size {size} is not from {MIN_SIZE} to {MAX_SIZE}", param="size")
    if queue:
        if out:
            raise ProdgenError("--out is for preparing here; the service keeps what it makes as a data set")
        if weights:
            raise ProdgenError("--weights is for preparing here; a node of the service has its own")
        from prodgen.cli.gateway import queue_run

        if name:
            check_name(name)
        if Path(data).exists():
            _check_pictures(Path(data))
        spec = {"size": size, "name": name, "drop": _flags(drop), "cutter": cutter, "merge": merge or []}
        queue_run(Client.prepare, spec, data, key, json, trainable=False)
    elif out is None:
        raise ProdgenError("where should the cut-outs go? name a folder with --out, or --queue the run")
    elif (name, drop, key) != (None, None, None):
        raise ProdgenError("--name, --drop and --key are for --queue; prodgen data clean drops pictures here")
    else:
        _prepare_here(Path(data), out, size, cutter, weights, merge or [], json)


def _prepare_here(
    data: Path, out: Path, size: int, cutter: str | None, weights: Path | None, merge: list[str], json: bool
) -> None:
    from prodgen.catalog.photographs.merges import parse_merges
    from prodgen.catalog.photographs.prepare import prepare as make
    from prodgen.photographs.catalogue_cuts import choose_cutter

    merges = parse_merges(merge)
    _check_pictures(data)
    check_new_folder(out, data)
    check_folder(out)
    chosen = choose_cutter(cutter, weights)
    with writing(out.absolute().parent, make=False), ProgressBars(json) as bars:
        summary, aside = make(data, out, size, bars.report, cutter=chosen, merges=merges)
    remark_reading(data)
    if json:
        print_json({"out": str(out)} | summary | {"set_aside": aside})
        return
    say(f"{'cutter':12} {summary['cutter']}")
    for split, count in summary["splits"].items():
        say(f"{split:12} {count}")
    for name, values in summary["attributes"].items():
        say(f"{name:12} {' '.join(values)}")
    say(f"{'set aside':12} {summary['set_aside_count']} of {summary['source_count']}")
    for reason, count in Counter(row["reason"] for row in aside).most_common():
        say(f"  {count:6} {reason}")
    remark(f"look at {out}/preview.png" + (f" and {out}/set-aside.png" if aside else ""))


def _flags(drop: str | None) -> list[str]:
    flags = DEFAULT_DROP if drop is None else [flag.strip() for flag in drop.split(",") if flag.strip()]
    check_flags(flags)
    return [*flags]


def _inspect(data: Path, quiet: bool) -> "Inspection":
    from prodgen.catalog.photographs.inspection import inspect as inspect_pictures

    _check_pictures(data)
    with ProgressBars(quiet) as bars:
        found = inspect_pictures(data, bars.report)
    remark_reading(data)
    return found


def _check_pictures(data: Path) -> None:
    from prodgen.catalog.formats import kind

    check_kind(str(data), kind(data))


def _summary(data: Path, found: "Inspection") -> dict[str, Any]:
    return {"data": str(data), "images": len(found.findings), "flags": found.counts()}


def _say(data: Path, found: "Inspection", findings: "list[Finding]", title: str = "") -> None:
    """Print the number of pictures with each fault, then ``title``, then the first ten ``findings``."""
    from prodgen.catalog.picture_files import printable

    for name, value in (("data", printable(data)), ("images", len(found.findings)), *found.counts().items()):
        say(f"{name:12} {value}")
    if title:
        say(title)
    for finding in findings[:_NAMED]:
        say(printable(f"  {finding.file}: {'; '.join(finding.flags.values())}"))
    if len(findings) > _NAMED:
        say(f"  ... and {len(findings) - _NAMED} more")
