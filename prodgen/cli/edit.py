"""``prodgen edit`` and ``check``: catalogue pictures from photographs, on this machine."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prodgen.cli.folders import check_folder, writing
from prodgen.cli.options import (
    Aspect,
    Attr,
    CopySpace,
    Cutter,
    Json,
    LightFrom,
    Pose,
    Retouch,
    Weights,
    parse_attributes,
)
from prodgen.cli.output import print_json, remark, report, say
from prodgen.cli.progress import ProgressBars
from prodgen.errors import ProdgenError
from prodgen.spec.finish import Finish, sides

if TYPE_CHECKING:
    from prodgen.photographs.edit import Edit

_MARKETPLACES = "Marketplace: amazon, ebay, google, instagram, shopify, taobao or zalando."
_MATERIALS = "stripes, dots, checks, houndstooth, denim, knit, leather, original or a picture; repeatable."


def edit(
    photos: Annotated[list[Path], typer.Argument(help="Photographs, or folders of photographs.")],
    out: Annotated[Path, typer.Option(help="New folder for the pictures, manifest.jsonl and sheet.png.")],
    attr: Attr = None,
    scene: Annotated[
        list[str] | None,
        typer.Option(
            help="white, studio, floor, wood, concrete, linen, gloss, a CSS colour, two colours as "
            "skyblue/white, or a picture; as often as you like."
        ),
    ] = None,
    material: Annotated[list[str] | None, typer.Option(help=_MATERIALS)] = None,
    preset: Annotated[str | None, typer.Option(help=_MARKETPLACES)] = None,
    size: Annotated[
        int, typer.Option(help="Longer side of the pictures in pixels, without a preset.")
    ] = 1024,
    aspect: Aspect = None,
    copy_space: CopySpace = None,
    format: Annotated[
        str, typer.Option(help="File format, without a preset: jpeg, png, webp or avif.")
    ] = "jpeg",
    light_from: LightFrom = None,
    pose: Pose = None,
    retouch: Retouch = None,
    cutter: Cutter = None,
    weights: Weights = None,
    force: Annotated[bool, typer.Option("--force", help="Also deliver what is not trusted.")] = False,
    json: Json = False,
) -> None:
    """Make catalogue pictures out of photographs.

    Each product is cut out, brought to each colour and material that is asked for, and placed in each scene.
    --attr "colour=crimson|navy" makes each photograph in both colours. A photograph whose cut-out is not
    trusted goes to OUT/review with the reason; so do the recoloured pictures of a product with a print.
    --force delivers them too. What is white in shirt.mask.png, such as a label or a hanger, is taken out of
    shirt.jpg beside it. shirt.matte.png, white where the product is, replaces the cut-out of shirt.jpg.
    """
    from prodgen.photographs.batch import Batch
    from prodgen.photographs.cutters import load_cutter
    from prodgen.photographs.marked import MASK, MATTE

    shape = Finish(aspect=aspect, copy_space=copy_space)
    asked = _edit(attr, scene, material, preset, shape, size, format)
    asked = replace(asked, retouch=tuple(retouch or ()), light_from=light_from, pose=pose)
    asked.check()
    files = [file for file in pictures_in(photos) if not file.name.endswith((MASK, MATTE))]
    _check_empty(out)
    batch = Batch(out, load_cutter(cutter, weights), asked, force=force)
    with writing(out), ProgressBars(json) as bars:
        batch.run(files, lambda done: bars.report("Photographs", done, len(files)))
    summary = {"out": str(out), "photographs": len(files), "pictures": batch.made, "review": batch.review}
    sheet = f": {out}/sheet.png" if batch.made else ""
    report(json, summary, f"{batch.made} pictures of {batch.shown} photographs{sheet}")
    if batch.review and not json:
        for (photo, reason), rows in _grouped(batch.review).items():
            which = f"{photo} ({len(rows)} pictures)" if len(rows) > 1 else rows[0].get("file", photo)
            say(f"  {which}: {reason}")
        aside = sum("file" not in row for row in batch.review)
        pictures = len(batch.review) - aside
        remark(f"{aside} photographs and {pictures} single pictures are set aside: {out}/review")


def _grouped(review: list[dict[str, str]]) -> dict[tuple[str, str], list[dict[str, str]]]:
    """Return the rows of ``review`` by photograph and reason."""
    found: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in review:
        found.setdefault((row["photo"], row["reason"]), []).append(row)
    return found


def _check_empty(out: Path) -> None:
    """Raise ProdgenError if a folder for pictures cannot be made, or has files."""
    check_folder(out)
    if out.exists() and any(out.iterdir()):
        raise ProdgenError(f"{out} already holds files; choose another folder", param="out")


def _edit(
    attr: list[str] | None,
    scene: list[str] | None,
    material: list[str] | None,
    preset: str | None,
    shape: Finish,
    size: int,
    format: str,
) -> "Edit":
    from prodgen.photographs.edit import Edit
    from prodgen.photographs.presets import load_preset
    from prodgen.spec.photograph import ORIGINAL

    attributes = parse_attributes(attr)
    unknown = sorted(attributes.keys() - {"colour"})
    if unknown:
        raise ProdgenError(
            f"a photograph has no {unknown[0]} as --attr; write --attr colour=..., --material or --scene",
            param="attr",
        )
    colours, materials = (
        tuple(None if value == ORIGINAL else value for value in dict.fromkeys(asked or [ORIGINAL]))
        for asked in (attributes.get("colour"), material)
    )
    scenes = tuple(dict.fromkeys(scene or ["white"]))
    if preset:
        if shape != Finish():
            raise ProdgenError(f"the preset {preset} sets the shape; leave --aspect and --copy-space out")
        return Edit.of_preset(load_preset(preset), colours, scenes, materials)
    return Edit(
        colours,
        scenes,
        *sides(size, shape.aspect),
        format=format,
        copy_space=shape.copy_space,
        materials=materials,
    )


def pictures_in(paths: list[Path]) -> Iterator[Path]:
    """Yield each file in ``paths`` and, for each folder, the pictures in it, sorted by name.

    For a folder with a manifest.jsonl, yields only the files in the manifest, in its order, so no contact
    sheet. Skips deleted images. Raises ProdgenError if a path does not exist or a folder has no pictures.
    """
    from prodgen.catalog.picture_files import EXTENSIONS

    for path in paths:
        if path.is_dir():
            manifest = path / "manifest.jsonl"
            if manifest.is_file():
                try:
                    lines = map(loads, manifest.read_text().splitlines())
                    found = [path / line["file"] for line in lines if not line.get("deleted")]
                except (ValueError, KeyError, TypeError, AttributeError):
                    raise ProdgenError(f"{manifest} is no manifest of prodgen", param="photos") from None
            else:
                found = sorted(file for file in path.rglob("*") if file.suffix.lower() in EXTENSIONS)
            if not found:
                raise ProdgenError(f"the folder {path} has no pictures", param="photos")
            yield from found
        elif path.is_file():
            yield path
        else:
            raise ProdgenError(f"there is no picture {path}", param="photos")


def check(
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    preset: Annotated[str, typer.Option(help=_MARKETPLACES)],
    fix: Annotated[Path | None, typer.Option(help="New folder for mended copies of all pictures.")] = None,
    json: Json = False,
) -> None:
    """Measure pictures against a marketplace's rules.

    With --fix, writes copies in which ground, centring, shape, format, weight, colours and names are
    mended, as far as the product's pixels stay, and reports what the copies still break. The exit code is 1
    if a picture, or its copy, breaks a rule, or a file cannot be read.
    """
    from prodgen.photographs.batch import Names
    from prodgen.photographs.check import Finding, check_picture
    from prodgen.photographs.mend import mend_file
    from prodgen.photographs.presets import load_preset

    rules = load_preset(preset)
    files, found, names = list(pictures_in(pictures)), dict[str, list[Finding]](), Names()
    if fix:
        _check_empty(fix)
    with writing(fix) if fix else nullcontext(), ProgressBars(json) as bars:
        for done, file in enumerate(files, 1):
            shown, findings = (
                mend_file(file, fix, rules, names) if fix else (file, check_picture(file, rules))
            )
            found[str(shown)] = findings
            bars.report("Pictures", done, len(files))
    broken = {path: findings for path, findings in found.items() if findings}
    if json:
        print_json({path: [finding._asdict() for finding in findings] for path, findings in found.items()})
    else:
        for path, findings in broken.items():
            say(f"{path}: " + "; ".join(map(str, findings)))
        kept = len(found) - len(broken)
        copies = f", as copies in {fix}" if fix else ""
        remark(f"{kept} of {len(found)} pictures keep {preset}'s rules of {rules.date}{copies}")
    if broken:
        raise typer.Exit(1)
