"""``prodgen provenance``: read how a picture was made from its file, and make it again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from PIL import Image
from pydantic import ValidationError

from prodgen.cli.folders import writing
from prodgen.cli.options import Json, Weights
from prodgen.cli.output import print_json, print_record, remark
from prodgen.errors import ProdgenError
from prodgen.spec.photograph import FORMATS, MAX_PIXELS
from prodgen.spec.provenance import read_provenance
from prodgen.spec.validation_errors import explain

if TYPE_CHECKING:
    from prodgen.spec.manifest import ManifestLine
    from prodgen.spec.merkle import InclusionProof

_MAX_BYTES = 256 << 20
"""Largest size in bytes of a file that the command makes again and compares."""
_RECIPE = ("model", "attributes", "seed", "draw", "attempt", "truncation", "finish", "photo", "matte", "mix")
"""The fields of a manifest line that a recipe in a picture file may have."""


def provenance(
    file: Annotated[Path, typer.Argument(help="A picture file.")],
    remake: Annotated[
        Path | None, typer.Option(help="Make the picture again, write it here, and compare it with FILE.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model that made it (default: the recipe's).")] = None,
    photos: Annotated[
        Path | None, typer.Option(help="Folder that has the photograph and the background.")
    ] = None,
    weights: Weights = None,
    trust: Annotated[
        Path | None, typer.Option(help="PEM file of the authorities whose certificates you trust.")
    ] = None,
    proof: Annotated[
        Path | None, typer.Option(help="File of `prodgen jobs proof`: check that FILE is of that job.")
    ] = None,
    root: Annotated[
        str | None, typer.Option(help="The job's Merkle root, which the proof must have.")
    ] = None,
    json: Json = False,
) -> None:
    """Read how a picture was made, and check its C2PA signature.

    The exit code is 1 if the signature or the proof does not hold, if no authority in --trust vouches for the
    signature, or if the picture that --remake makes again differs.
    """
    from prodgen.signatures import read_signature

    if not file.is_file():
        raise ProdgenError(f"there is no picture {file}", param="file")
    found = read_provenance(file)
    signature = read_signature(file, trust.read_bytes() if trust else None)
    if root and not proof:
        raise ProdgenError("--root is compared with a proof; name its file with --proof", param="root")
    if found == (None, None) and signature is None and proof is None:
        raise ProdgenError(f"{file} has no marks that say how it was made")
    record = {"digital_source_type": found.digital_source_type} | (found.recipe or {})
    if signature:
        record["signature"] = signature._asdict()
    unproved = None
    if proof:
        included = _read_proof(proof)
        unproved = included.fault(file.read_bytes(), root)
        record["proof"] = {
            **included.model_dump(include={"leaf_index", "tree_size", "root"}),
            "fault": unproved,
        }
    fault = None
    if remake:
        if found.recipe is None:
            raise ProdgenError(f"{file} has no recipe of prodgen, so it cannot be made again")
        fault = _remake(file, found.recipe, remake, model, photos, weights)
        record["remade"] = {"file": str(remake), "difference": fault}
    if json:
        print_json(record)
    else:
        print_record(printable(record))
        if proof:
            remark(f"the proof does not hold: {unproved}" if unproved else "the proof holds")
        if remake:
            remark(f"{remake} is the same picture" if fault is None else f"{remake} differs: {fault}")
    broken = signature is not None and signature.holds is False
    untrusted = trust is not None and not (signature and signature.trusted)
    if fault is not None or broken or untrusted or unproved:
        raise typer.Exit(1)


def _read_proof(file: Path) -> "InclusionProof":
    from prodgen.spec.merkle import InclusionProof

    try:
        return InclusionProof.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ProdgenError(f"{file} cannot be read: {error.strerror}", param="proof") from None
    except ValidationError as error:
        raise ProdgenError(f"{file} is no proof: {explain(error, 'it')}", param="proof") from None


def _remake(
    file: Path,
    recipe: dict[str, Any],
    out: Path,
    model: str | None,
    photos: Path | None,
    weights: Path | None,
) -> str | None:
    """Make a picture again from the recipe in its file, and write the new picture to ``out``.

    Returns how the new picture differs from the file, or None if it does not differ.
    """
    from prodgen.generation.verify import difference
    from prodgen.photographs.verify import EDIT_TOLERANCE, photographs_in, remake_edit

    if out.exists():
        raise ProdgenError(f"{out} exists already; choose another name", param="remake")
    stored, format = _read(file)
    if "cutter" in recipe:
        if photos is None:
            raise ProdgenError("name the folder that has the photograph with --photos", param="photos")
        remade = remake_edit(recipe, format, photographs_in(photos), weights)
        tolerance = EDIT_TOLERANCE
    elif "picture" in recipe:
        remade, tolerance = _remake_redrawn(file, format, recipe, model)
    elif "steps" in recipe:
        remade, tolerance = _remake_morph(file, format, recipe, model)
    else:
        line = manifest_line(file, format, recipe)
        remade, tolerance = _remake_line(file, line, stored, model, photos, weights)
    with writing(out.absolute().parent):
        out.write_bytes(remade)
    return difference(stored, remade, format, tolerance)


def _remake_line(
    file: Path,
    line: "ManifestLine",
    stored: bytes,
    model: str | None,
    photos: Path | None,
    weights: Path | None,
) -> tuple[bytes, int]:
    """Make the image of a manifest line again. Returns the new file, and the tolerance of the model.

    ``stored``: the bytes of the old file. Raises ProdgenError if the image cannot be made again.
    """
    from prodgen.cli.verify import findings
    from prodgen.generation.engine import Engine
    from prodgen.models.saved import find_model
    from prodgen.spec.model_config import read_config

    config = read_config(find_model(_checked_model(file, line.model, model))[0])
    missing = {attribute.name for attribute in config.attributes.attributes} - line.attributes.keys()
    if missing:
        raise ProdgenError(f"the recipe in {file} has no {min(missing)}, which {line.model} needs")
    config.attributes.parse(line.attributes)
    with Engine() as engine:
        (finding,) = findings(line.model, [line], lambda _: stored, model, photos, weights, engine)
    if not finding.remade:
        raise ProdgenError(f"{file} cannot be made again: {finding.fault}", param="photos")
    return finding.remade, config.tolerance


def _remake_morph(file: Path, format: str, recipe: dict[str, Any], model: str | None) -> tuple[bytes, int]:
    """Make a morph again from its recipe. Returns the new file, and the tolerance of the model."""
    from prodgen.pipeline import Pipeline
    from prodgen.spec.formula import Formula

    try:
        fields = {"index" if name == "draw" else name: value for name, value in recipe.items()}
        formula = Formula.model_validate({**fields, "format": format})
    except ValidationError as error:
        raise ProdgenError(f"the recipe in {file} cannot be made again: {explain(error, 'it')}") from None
    with Pipeline.from_pretrained(_checked_model(file, formula.model, model)) as pipeline:
        return pipeline.render(formula), pipeline.model.config.tolerance


def _remake_redrawn(file: Path, format: str, recipe: dict[str, Any], model: str | None) -> tuple[bytes, int]:
    """Make a redrawn picture again from the latent in its recipe. Returns the new file and the tolerance."""
    from prodgen.pipeline import Pipeline
    from prodgen.spec.formula import Formula
    from prodgen.spec.redrawing import Start

    try:
        found = Start.model_validate(recipe["picture"])
        picture = {"sha256": found.sha256, "strength": found.strength}
        names = ("model", "attributes", "finish", "mix")
        fields = {name: recipe[name] for name in names if name in recipe}
        place = {"seed": 0, "index": 0, "format": format, "picture": picture}
        formula = Formula.model_validate({**fields, **place})
    except (ValidationError, TypeError, AttributeError) as error:
        reason = explain(error, "it") if isinstance(error, ValidationError) else "it names no picture"
        raise ProdgenError(f"the recipe in {file} cannot be made again: {reason}") from None
    with Pipeline.from_pretrained(_checked_model(file, formula.model, model)) as pipeline:
        if len(found.latent) != pipeline.model.config.latent_dim:
            raise ProdgenError(f"the recipe in {file} has no latent of {formula.model}")
        if formula.attributes:
            pipeline.model.config.attributes.parse(formula.attributes)
        return pipeline.render(formula, found), pipeline.model.config.tolerance


def _checked_model(file: Path, own: str, model: str | None) -> str:
    """Return the model to make a picture again with: ``model``, or else ``own``, the recipe's model.

    Raises ProdgenError if ``own`` is a folder or a hub's name, because a file must not choose what to load.
    """
    if model is None and "/" in own:  # a file must not choose a folder or a hub to load from
        raise ProdgenError(f"{file} was made by {own}; pass the model with --model", param="model")
    return model or own


def _read(file: Path) -> tuple[bytes, str]:
    """Return the bytes of a picture file, and the format of the picture that is made again.

    Raises ProdgenError if the file is too large.
    """
    with Image.open(file, formats=FORMATS) as image:
        format, pixels = (image.format or "").lower(), image.width * image.height
    if pixels > MAX_PIXELS or file.stat().st_size > _MAX_BYTES:
        raise ProdgenError(f"{file} is too large to be compared with a picture that is made again")
    return file.read_bytes(), format if format in ("jpeg", "webp", "avif", "gif") else "png"


def manifest_line(file: Path, format: str, recipe: dict[str, Any]) -> "ManifestLine":
    """Return a manifest line made from the recipe in a picture file.

    Raises ProdgenError for a recipe with faults, because anybody may have written it.
    """
    from prodgen.spec.manifest import ManifestLine

    given = {name: recipe[name] for name in _RECIPE if name in recipe}
    fields: dict[str, Any] = {"index": 0, "seed": 0, "draw": 0, "truncation": 1.0, "finish": {}}
    fields |= {"format": format, "precision": "", "file": file.name, "sha256": ""}
    try:
        return ManifestLine.model_validate(fields | given)
    except ValidationError as error:
        reason = explain(error, "it")
        raise ProdgenError(f"the recipe in {file} cannot be made again: {reason}") from None


def printable(value: Any) -> Any:
    """Return a copy of a JSON value with ``?`` for each character that could control the terminal."""
    if isinstance(value, dict):
        return {printable(name): printable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [printable(inner) for inner in value]
    if isinstance(value, str):
        return "".join(c if c.isprintable() else "?" for c in value)
    return value
