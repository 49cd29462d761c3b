"""Check at the door that the model of an order takes photographs, and that the photographs can be used."""

import io
from collections.abc import Iterable, Iterator
from itertools import islice

from PIL import Image, UnidentifiedImageError

from prodgen.errors import NotFound, ProdgenError
from prodgen.spec.colour import parse_colour
from prodgen.spec.finish import Augment
from prodgen.spec.model_config import ModelConfig, StudioConfig, studio_config
from prodgen.spec.order import Item, JobSpec, item_fault
from prodgen.spec.photograph import FORMATS, MAX_PIXELS
from prodgen.spec.provenance import read_provenance
from prodgen.spec.spelling import fold
from prodgen.storage import keys
from prodgen.storage.base import Store, in_threads

SMALLEST_SIDE = 64
_HEAD = 256 << 10
"""Bytes of a photograph that are read first. They hold the size of nearly every photograph."""
_BLOCK = 256
"""Items whose photographs are looked up at once."""


def check_spec(spec: JobSpec, config: ModelConfig) -> None:
    """Raise ProdgenError if the order as a whole cannot be made by a model of this config."""
    studio = studio_config(config)
    if studio is None:
        if spec.finish.preset:
            raise ProdgenError(
                f"{spec.model} takes no preset; presets are for models that make pictures of photographs",
                param="finish.preset",
            )
        return
    if spec.items is None and spec.upload is None:
        raise ProdgenError(
            f"{spec.model} makes pictures of photographs: give items (or an upload) with a photo each",
            param="items",
        )
    if spec.output.packaging == "sheet":
        raise ProdgenError(
            "sprite sheets hold generated images; order pictures of photographs as files or tar",
            param="output.packaging",
        )
    for name, asked in (
        ("truncation", spec.truncation != 1.0),
        ("finish.background", spec.finish.background is not None),
        ("finish.augment", spec.finish.augment != Augment()),
    ):
        if asked:
            instead = "; order a colour as the attribute scene" if name == "finish.background" else ""
            raise ProdgenError(f"{name} is not for pictures of photographs{instead}", param=name)
    if (size := spec.finish.size) and size < SMALLEST_SIDE:
        raise ProdgenError(
            f"finish.size must be at least {SMALLEST_SIDE} for pictures of photographs, not {size}",
            param="finish.size",
        )
    if spec.finish.preset:
        _check_preset(spec, studio)


def _check_preset(spec: JobSpec, studio: StudioConfig) -> None:
    name = spec.finish.preset or ""
    rules = studio.presets.get(name)
    if rules is None:
        raise ProdgenError(
            f"no preset is named {name!r}; there are {', '.join(studio.presets)}", param="finish.preset"
        )
    if spec.finish.size is not None:
        raise ProdgenError(f"the preset {name} sets the size; leave finish.size out", param="finish.size")
    if spec.output.format != rules.format:
        raise ProdgenError(
            f"the preset {name} wants {rules.format} files; set output.format to {rules.format}",
            param="output.format",
        )
    _check_scene(spec, studio, spec.attributes)


def checked_items(
    store: Store, tenant: str, spec: JobSpec, config: ModelConfig, items: Iterable[Item | ProdgenError]
) -> Iterator[Item | ProdgenError]:
    """Yield the items, each item with a photograph that cannot be used replaced by an error with its row.

    Looks up every photograph once, several at a time, and reads only its first bytes.
    """
    studio, numbered = studio_config(config), enumerate(items, 1)
    known: dict[str, str | None] = {}
    rules = studio and studio.presets.get(spec.finish.preset or "")
    only = spec.finish.preset if rules and rules.photographs_only else None
    while block := list(islice(numbered, _BLOCK)):
        if studio:
            named = (item.photo for _, item in block if isinstance(item, Item) and item.photo)
            new = [photo for photo in dict.fromkeys(named) if photo not in known]
            faults = in_threads(lambda photo: photo_fault(store, tenant, photo, only), new)
            known.update(zip(new, faults, strict=True))
        for number, item in block:
            try:
                if isinstance(item, Item):
                    _check_item(item, spec, studio, known)
                yield item
            except ProdgenError as error:
                yield item_fault(item, number, error)  # type: ignore[arg-type]  # only items are checked


def _check_item(item: Item, spec: JobSpec, studio: StudioConfig | None, known: dict[str, str | None]) -> None:
    if studio is None:
        if item.photo:
            raise ProdgenError(f"{spec.model} takes no photographs; leave photo out", param="photo")
        return
    if item.photo is None:
        raise ProdgenError("photo is missing; name the photograph of the product", param="photo")
    if fault := known[item.photo]:
        raise ProdgenError(fault, param="photo")
    _check_scene(spec, studio, item.attributes)


def _check_scene(spec: JobSpec, studio: StudioConfig, attributes: dict[str, str | list[str]]) -> None:
    """Raise ProdgenError if a scene is asked for that is not the ground of the order's preset."""
    rules = studio.presets.get(spec.finish.preset or "")
    asked = [values for name, values in attributes.items() if fold(name) == "scene"]
    if rules is None or rules.ground is None or not asked:
        return
    for scene in asked[0] if isinstance(asked[0], list) else asked:
        try:
            same = parse_colour(str(scene)) == rules.ground
        except ValueError:
            same = False
        if not same:
            raise ProdgenError(
                f"the preset {spec.finish.preset} wants the ground {rules.ground}, not {scene!r}; "
                "leave scene out",
                param="attributes.scene",
            )


def photo_fault(store: Store, tenant: str, photo: str, only: str | None = None) -> str | None:
    """Return why an upload of the tenant cannot be used as a photograph, or None if it can, by its head.

    ``only``: the order's preset, if it takes photographs of real products only.
    """
    key = keys.upload(tenant, photo)
    try:
        head = store.get(key, 0, _HEAD)
        fault = picture_fault(head)
        if fault and len(head) == _HEAD:  # the size may stand behind a long profile or comment
            head = store.get(key)
            fault = picture_fault(head)
        if fault is None and only and read_provenance(io.BytesIO(head)).generative:
            fault = f"was generated by a model, and {only} takes photographs of real products only"
    except NotFound:
        return f"there is no upload {photo}; send the photograph to /v1/uploads first"
    return f"the upload {photo} {fault}" if fault else None


def picture_fault(data: bytes) -> str | None:
    """Return why a file that begins with ``data`` is no usable picture, or None if it seems to be one."""
    size = _size(data)
    if size is None:
        return "is no picture (JPEG, PNG, WebP, GIF, BMP, TIFF, PPM or AVIF)"
    if size[0] * size[1] > MAX_PIXELS:
        return f"has more than {MAX_PIXELS:,} pixels; make it smaller"
    return None


def _size(data: bytes) -> tuple[int, int] | None:
    """Return the width and height of a picture that begins with ``data``, or None if Pillow cannot tell."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return image.size
    except Image.DecompressionBombError:
        return MAX_PIXELS, MAX_PIXELS
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return None
