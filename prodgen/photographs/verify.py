"""Make pictures of photographs again, from a manifest or from the recipe in a file, and compare them."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from prodgen.catalog.picture_files import decode_or_fault
from prodgen.errors import ProdgenError
from prodgen.files import sha256
from prodgen.generation.request import Request
from prodgen.generation.verify import Finding, compare
from prodgen.photographs.cutters import load_cutter
from prodgen.photographs.edit import LARGEST_SIDE, Edit, make_pictures
from prodgen.photographs.learnt import Learnt
from prodgen.photographs.marked import cut_out_marked
from prodgen.photographs.materials import MATERIALS, Material
from prodgen.photographs.presets import load_preset
from prodgen.photographs.product import Look
from prodgen.photographs.region import METHOD
from prodgen.photographs.scenes import Background, is_picture, read_background
from prodgen.photographs.studio import Source, Studio, StudioPicture
from prodgen.photographs.swatches import read_swatch
from prodgen.spec.attributes import MATERIAL, SCENE
from prodgen.spec.finish import Edge, Finish, Light, Pose, Retouch
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.matte import sources_of
from prodgen.spec.order import ImageRequest
from prodgen.spec.photograph import ORIGINAL, is_digest
from prodgen.spec.provenance import read_provenance
from prodgen.spec.validation_errors import explain

EDIT_TOLERANCE = 2
"""Levels of 255 by which a picture of ``prodgen edit`` may differ when it is made again."""


class EditRecipe(BaseModel):
    """The recipe that ``prodgen edit`` puts into a file; more fields are ignored."""

    photo: str
    mask: str | None = None
    matte: str | None = None
    cutter: str
    method: int = Field(default=2, ge=1, le=METHOD)  # files made before method 3 name no method
    attributes: dict[str, str] = {}
    scene: str
    size: tuple[int, int]
    fill: float = Field(gt=0, le=1)
    preset: str | None = None
    copy_space: Edge | None = None
    retouch: tuple[Retouch, ...] = ()
    light_from: Light | None = None
    pose: Pose | None = None


def photographs_in(folder: Path) -> dict[str, Path]:
    """Return the paths of all files in a folder and its sub-folders, by digest of the file.

    Raises ProdgenError if the folder does not exist.
    """
    if not folder.is_dir():
        raise ProdgenError(f"there is no folder {folder}", param="photos")
    files = (path for path in folder.rglob("*") if path.is_file())
    return {sha256(path): path for path in files}


def verify_pictures(
    lines: Iterable[ManifestLine],
    read: Callable[[str], bytes | None],
    studio: Studio,
    photographs: dict[str, Path],
) -> Iterator[Finding]:
    """Make the picture of each manifest line again, compare it with its file, and yield a finding a line.

    ``read`` returns the bytes of a file by its name, or None if the file cannot be read. ``photographs`` has
    the path of each photograph, matte, background and swatch, by digest.
    """
    make = remake(studio, lambda digest: photographs[digest].read_bytes())
    for (photo, matte, finish, format), group in groupby(lines, _made_alike):
        if fault := _missing(photo or "", matte, photographs):
            yield from (Finding(line, fault) for line in group)
            continue
        alike = list[ManifestLine]()
        for line in group:
            own = {"background": line.attributes[SCENE], "swatch": line.attributes.get(MATERIAL, ORIGINAL)}
            missing = [kind for kind, name in own.items() if is_digest(name) and name not in photographs]
            if missing:
                yield Finding(line, f"its {missing[0]} {own[missing[0]]} is not in the folder")
            else:
                alike.append(line)
        images = [
            ImageRequest(
                n.index, n.seed, n.draw, n.attributes, n.sku, attempt=n.attempt, photo=photo, matte=matte
            )
            for n in alike
        ]
        pictures = make(Request(studio, images, finish=finish, format=format))
        for line, picture in zip(alike, pictures, strict=True):
            fault = compare(line, read(line.file), picture.data, studio.config.tolerance)
            if fault is None and picture.review != line.review:
                fault = f"the picture is to be reviewed because {picture.review!r}, not {line.review!r}"
            yield Finding(line, fault, picture.data)


def remake(studio: Studio, read: Callable[[str], bytes]) -> Callable[[Request], Iterator[StudioPicture]]:
    """Return a function that makes the pictures of a request. It learns from each photograph anew.

    ``read`` returns the file of a photograph, matte, background or swatch by its digest.
    """

    @lru_cache(4)
    def source(photo: str, matte: str | None) -> Source:
        data, own = read(photo), read(matte) if matte else None
        return Source(data, Learnt.from_png(studio.learn(data, own).to_png()))

    @lru_cache(4)
    def background(digest: str, height: int, width: int) -> Background:
        return read_background(read(digest), height, width)

    @lru_cache(4)
    def swatch(digest: str) -> Material:
        return read_swatch(read(digest))

    def pictures(request: Request) -> Iterator[StudioPicture]:
        output = request.finish, request.format, request.marks
        return studio.pictures(request.images, source, background, swatch, *output)

    return pictures


def _made_alike(line: ManifestLine) -> tuple[str | None, str | None, Finish, str]:
    return line.photo, line.matte, line.finish, line.format


def _missing(photo: str, matte: str | None, photographs: dict[str, Path]) -> str | None:
    """Return a text that names a missing photograph or matte of a picture, or None if all are there."""
    try:
        named = sources_of(photo, matte)
    except ValueError:
        return "its photographs and its mattes differ in number"
    for kind, digest in (pair for one in named for pair in zip(("photograph", "matte"), one, strict=True)):
        if digest is not None and digest not in photographs:
            return f"its {kind} {digest} is not in the folder"
    return None


def _path(photographs: dict[str, Path], digest: str, kind: str) -> str:
    """Return the path of a picture by its digest; raises ProdgenError for an unknown digest.

    Paths are not accepted, because a recipe must not choose which files are read. ``kind`` names the picture
    in the message.
    """
    if digest not in photographs:
        raise ProdgenError(f"its {kind} {digest!r} is not in the folder", param="photos")
    return str(photographs[digest].absolute())


def remake_edit(
    recipe: dict[str, Any], format: str, photographs: dict[str, Path], weights: Path | None
) -> bytes:
    """Make a picture of ``prodgen edit`` again by the recipe in its file, and return its bytes.

    The recipe is not trusted: it can name pictures only by digest. ``photographs`` holds the path of each
    picture by its digest. Raises ProdgenError if the picture cannot be made again.
    """
    try:
        wanted = EditRecipe.model_validate(recipe)
    except ValidationError as error:
        raise ProdgenError(f"the recipe in the file is none of prodgen: {explain(error, 'it')}") from None
    path = photographs.get(wanted.photo)
    if path is None:
        raise ProdgenError(f"the photograph {wanted.photo} is not in the folder", param="photos")
    scene, (colour, material) = wanted.scene, Look.of(wanted.attributes)
    if is_picture(scene):
        scene = _path(photographs, scene, "background")
    if material and material not in MATERIALS:
        material = _path(photographs, material, "swatch")
    most_bytes = load_preset(wanted.preset).most_bytes if wanted.preset else None
    edit = Edit(
        (colour,),
        (scene,),
        *wanted.size,
        wanted.fill,
        format,
        most_bytes,
        wanted.preset,
        copy_space=wanted.copy_space,
        materials=(material,),
        retouch=wanted.retouch,
        light_from=wanted.light_from,
        pose=wanted.pose,
    )
    edit.check()
    cutter, decoded = load_cutter(wanted.cutter, weights), decode_or_fault(path, LARGEST_SIDE)
    if isinstance(decoded, str):
        raise ProdgenError(f"{path} cannot be read: {decoded}")
    generative = read_provenance(path).generative
    mask = Path(_path(photographs, wanted.mask, "mask")) if wanted.mask else None
    matte = Path(_path(photographs, wanted.matte, "matte")) if wanted.matte else None
    cut = cut_out_marked(decoded[1], cutter, mask, matte, wanted.method)
    if not (cut.matte >= 0.5).any():
        raise ProdgenError(f"{path} shows no product: {'; '.join(cut.doubts)}", param="photos")
    (picture,) = make_pictures(
        decoded[1],
        wanted.photo,
        cut,
        wanted.cutter,
        edit,
        mask=wanted.mask,
        matte=wanted.matte,
        generative=generative,
        method=wanted.method,
    )
    return picture.data
