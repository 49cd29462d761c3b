"""Make catalogue pictures of a photographed product: one for each look in each scene."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from PIL import Image, ImageFile

import prodgen
from prodgen.catalog.picture_files import Photograph
from prodgen.errors import ProdgenError
from prodgen.files import sha256
from prodgen.generation.encode import AVIF, encode_image
from prodgen.photographs.colour_doubts import doubts_about_colour, is_patterned
from prodgen.photographs.cutout import CutOut
from prodgen.photographs.materials import MATERIALS, Material, material
from prodgen.photographs.presets import Preset
from prodgen.photographs.product import Look, Product
from prodgen.photographs.region import METHOD
from prodgen.photographs.retouch import retouch
from prodgen.photographs.scenes import (
    Background,
    ground,
    has_shadow,
    is_picture,
    plain_colour,
    read_background,
)
from prodgen.photographs.swatches import read_swatch
from prodgen.spec.colour_words import product_colour
from prodgen.spec.finish import RETOUCHES, Edge, Frame, Light, Pose
from prodgen.spec.provenance import edited_source_type, make_xmp
from prodgen.spec.spelling import did_you_mean

Read = TypeVar("Read", Background, Material)

SMALLEST_SIDE, LARGEST_SIDE = 64, 4096
"""Least and largest width and height of a picture, in pixels."""
FORMATS = ("jpeg", "png", "webp", "avif")
_QUALITIES = (95, 90, 85, 80, 70, 60)


@dataclass(frozen=True)
class Edit:
    """The pictures to make: one for each colour, material and scene.

    The colour or material None keeps the product's own. A material is one of `MATERIALS`, or the path of a
    picture. ``fill`` is the share of the frame that the product fills.
    """

    colours: tuple[str | None, ...] = (None,)
    scenes: tuple[str, ...] = ("white",)
    width: int = 1024
    height: int = 1024
    fill: float = 0.85
    format: str = "jpeg"
    most_bytes: int | None = None
    preset: str | None = None
    photographs_only: bool = False
    copy_space: Edge | None = None
    materials: tuple[str | None, ...] = (None,)
    retouch: tuple[str, ...] = ()
    light_from: Light | None = None
    pose: Pose | None = None

    @property
    def frame(self) -> Frame:
        """The frame of the pictures."""
        return Frame(self.width, self.height, self.fill, self.copy_space, self.light_from, self.pose)

    @classmethod
    def of_preset(
        cls,
        preset: Preset,
        colours: tuple[str | None, ...],
        scenes: tuple[str, ...],
        materials: tuple[str | None, ...] = (None,),
    ) -> "Edit":
        """Return the edit that a preset asks for; raises ProdgenError if the preset forbids a scene."""
        if preset.ground:
            other = [scene for scene in scenes if plain_colour(scene) != preset.ground]
            if other:
                raise ProdgenError(
                    f"{preset.name} wants the ground {preset.ground}, not {other[0]}; leave the scene out",
                    param="scene",
                )
        return cls(
            colours,
            scenes,
            preset.width,
            preset.height,
            preset.fill,
            preset.format,
            preset.most_bytes,
            preset.name,
            preset.photographs_only,
            materials=materials,
        )

    @property
    def looks(self) -> list[Look]:
        """The looks of the product: each colour with each material, ordered by colour, then by material."""
        return [Look(*look) for look in itertools.product(self.colours, self.materials)]

    @property
    def changes_product(self) -> bool:
        """Whether at least one look changes the product's colour or material."""
        return any(look != Look() for look in self.looks)

    @cached_property
    def backgrounds(self) -> dict[str, Background]:
        """The ground by scene; raises ProdgenError for an unknown scene or a picture that cannot be used."""
        return {scene: self._background(scene) for scene in self.scenes}

    def _background(self, scene: str) -> Background:
        if not is_picture(scene) or not Path(scene).is_file():
            return Background(ground(scene, self.height, self.width))
        return _read(scene, lambda data: read_background(data, self.height, self.width), "scene")

    @cached_property
    def swatches(self) -> dict[str, Material]:
        """The materials by name or path; raises ProdgenError for an unknown name or an unusable picture."""
        return {name: _material(name) for name in self.materials if name}

    @cached_property
    def digests(self) -> dict[str, str]:
        """The digest of each picture that a scene or a material names, by its path."""
        scenes = filter(is_picture, self.scenes)
        swatches = (name for name in self.materials if name and name not in MATERIALS)
        return {path: sha256(Path(path)) for path in {*scenes, *swatches}}

    def check(self) -> None:
        """Raise ProdgenError for an invalid size, format, retouch, colour, material, scene, light or pose."""
        if not SMALLEST_SIDE <= min(self.width, self.height) <= max(self.width, self.height) <= LARGEST_SIDE:
            side = self.width if self.width == self.height else f"{self.width} x {self.height}"
            raise ProdgenError(f"size {side} is not from {SMALLEST_SIDE} to {LARGEST_SIDE}", param="size")
        if self.format not in FORMATS:
            raise ProdgenError(f"format {self.format!r} is not jpeg, png, webp or avif", param="format")
        if unknown := set(self.retouch).difference(RETOUCHES):
            raise ProdgenError(
                f"no retouch is named {min(unknown)!r}; write {', '.join(RETOUCHES)}", param="retouch"
            )
        for colour in filter(None, self.colours):
            try:
                product_colour(colour)
            except ValueError as error:
                raise ProdgenError(str(error), param="attributes.colour") from None
        self.swatches  # noqa: B018 -- reads them
        if (self.light_from or self.pose) and not any(map(has_shadow, self.scenes)):
            raise ProdgenError(
                "products cast no shadow on white; name another scene, for instance studio",
                param="light_from" if self.light_from else "pose",
            )
        if not self.backgrounds:
            raise ProdgenError("name at least one scene, for instance white", param="scene")


def _material(name: str) -> Material:
    if name in MATERIALS:
        return material(name)
    if not Path(name).is_file():
        raise ProdgenError(
            f"no material is {name!r}; write {', '.join(MATERIALS)} or the path of a picture"
            f"{did_you_mean(name, MATERIALS)}",
            param="material",
        )
    return _read(name, read_swatch, "material")


def _read(path: str, read: Callable[[bytes], Read], param: str) -> Read:
    """Return what ``read`` makes of the file ``path``; raises ProdgenError if the file cannot be used.

    ``param``: the field of the request to which the error belongs.
    """
    try:
        found = read(Path(path).read_bytes())
    except ProdgenError as error:
        raise ProdgenError(f"{path}: {error}", param=param) from None
    if found.fault:
        raise ProdgenError(f"{path}: {found.fault}", param=param)
    return found


class Picture(NamedTuple):
    """A catalogue picture: its look, its scene, the bytes of its file, and the recipe that made it.

    ``look`` has the colour's name as it was asked for. ``doubt`` says why the picture is not trusted; None if
    it is trusted.
    """

    look: Look
    scene: str
    data: bytes
    recipe: dict[str, Any]
    doubt: str | None


def make_pictures(
    photograph: Photograph,
    photo: str,
    cut: CutOut,
    cutter: str,
    edit: Edit,
    *,
    mask: str | None = None,
    matte: str | None = None,
    generative: bool = False,
    method: int = METHOD,
) -> Iterator[Picture]:
    """Yield a picture for each look in each scene, ordered by look, then by scene.

    ``photo`` is the digest of the photograph's file; ``cutter`` is the name of the cutter that made ``cut``.
    ``mask`` and ``matte`` are the digests of the mask and of the matte that were used for the cut.
    ``generative``: whether the photograph's marks say that a model made the photograph. ``method``: see
    `main_region`; from method 4 on, a material hides the pattern of a patterned product.
    """
    region, colour_doubt, patterned = cut.matte, None, False
    if edit.changes_product:  # the region is slow to find
        found = cut.region_by(method)
        region, colour_doubt = found.weight, doubts_about_colour(found, method)
        patterned = method > 3 and is_patterned(found, method)
    planes = retouch(edit.retouch, cut.rgb, cut.matte, region, ground=photograph.alpha is None)
    product = Product(*planes, edit.frame, None, edit.swatches.__getitem__, patterned, method)
    for asked, scene in itertools.product(edit.looks, edit.scenes):
        look = _meant(asked) if method > 6 else asked  # before, a word had the meaning that it has in CSS
        recipe = {
            "prodgen": prodgen.__version__,
            "photo": photo,
            "photo_size": list(photograph.size),
            "mask": mask,
            "matte": matte,
            "cutter": cutter,
            "method": method,
            "attributes": _recipe_of(look, edit.digests),
            "scene": edit.digests.get(scene, scene),
            "size": [edit.width, edit.height],
            "fill": edit.fill,
            "preset": edit.preset,
            "copy_space": edit.copy_space,
            "retouch": list(edit.retouch),
            "light_from": edit.light_from,
            "pose": edit.pose,
            "upscaled": round(product.scale, 2) if product.scale > 1 else None,
        }
        recipe = {name: value for name, value in recipe.items() if value not in (None, {}, [])}
        behind, made = edit.backgrounds[scene], edit.swatches.get(look.material or "")
        image = Image.fromarray(product.picture(look, scene, behind.pixels))
        kind = edited_source_type(
            generative=generative or behind.generative or (made is not None and made.generative),
            recoloured=look != Look(),
            on_photograph=is_picture(scene),
        )
        data = encode(image, edit.format, make_xmp(kind, recipe), edit.most_bytes)
        unsure = colour_doubt if look.colour and not look.material else None
        yield Picture(asked, scene, data, recipe, unsure or product.doubt(look))


def _meant(look: Look) -> Look:
    """Return a look with the colour that a shop means by its name, as #rrggbb."""
    return look if look.colour is None else look._replace(colour=product_colour(look.colour))


def _recipe_of(look: Look, digests: dict[str, str]) -> dict[str, str]:
    """Return the attributes of a look for a recipe, which names a swatch by its digest, not by its path."""
    return {name: digests.get(value, value) for name, value in look._asdict().items() if value}


def encode(image: Image.Image, format: str, xmp: bytes, most_bytes: int | None) -> bytes:
    """Encode an edited picture with its marks, at the best quality with at most ``most_bytes`` bytes.

    WebP is lossless, because lossy WebP stains a white ground. Raises ProdgenError if the file is too large
    even at the lowest quality.
    """
    # Pillow needs a buffer for a whole optimised JPEG, and makes one that is too small for a noisy picture.
    ImageFile.MAXBLOCK = max(ImageFile.MAXBLOCK, 4 * image.width * image.height)
    data = b""
    for quality in _QUALITIES:
        jpeg = {"quality": quality, "subsampling": 0, "optimize": True}
        options: dict[str, dict[str, Any]] = {
            "jpeg": jpeg,
            "webp": {"lossless": True},
            "png": {},
            "avif": AVIF,
        }
        data = encode_image(image, format, xmp, **options[format])
        if not most_bytes or len(data) <= most_bytes:
            return data
    raise ProdgenError(f"the picture has {len(data):,} bytes, more than the preset's {most_bytes:,}")
