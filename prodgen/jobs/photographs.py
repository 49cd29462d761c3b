"""Check, before an order is accepted, that its model takes photographs and that its uploads can be used.

The uploads are photographs of products, their mattes, and the order's own backgrounds and swatches.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice

from prodgen.errors import NotFound, ProdgenError
from prodgen.jobs.heads import HEAD, read_head
from prodgen.jobs.mattes import Mattes
from prodgen.spec.attributes import MATERIAL, SCENE, RequestedValues
from prodgen.spec.colour import parse_colour
from prodgen.spec.finish import Augment
from prodgen.spec.model_config import ModelConfig, StudioConfig, studio_config
from prodgen.spec.order import Item, JobSpec, item_fault
from prodgen.spec.photograph import (
    TAIL,
    background_fault,
    end_fault,
    is_digest,
    photos_of,
    picture_fault,
    swatch_fault,
)
from prodgen.spec.provenance import read_provenance
from prodgen.spec.redrawing import check_picture
from prodgen.spec.spelling import fold
from prodgen.storage import keys
from prodgen.storage.base import Store, in_threads

SMALLEST_SIDE = 64
_BLOCK = 256
"""The number of items whose pictures are looked up together."""
Fault = Callable[[bytes], str | None]
"""A function of a file's first bytes. Returns why the file cannot be used, or None if it can be used."""


def check_spec(spec: JobSpec, config: ModelConfig) -> None:
    """Raise ProdgenError if a model with this config cannot make the order. Does not check the items."""
    studio = studio_config(config)
    if studio is None:
        config.check_finish(spec.finish)
        for name in ("preset", "aspect", "copy_space", "light_from", "pose", "retouch"):
            if getattr(spec.finish, name):
                raise ProdgenError(
                    f"{spec.model} takes no {name}, which is for models that make pictures of photographs",
                    param=f"finish.{name}",
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
        ("finish.upscale", spec.finish.upscale is not None),
        ("finish.exact_colour", spec.finish.exact_colour),
        ("finish.background", spec.finish.background is not None),
        ("finish.augment", spec.finish.augment != Augment()),
    ):
        if asked:
            instead = "; order a colour as the attribute scene" if name == "finish.background" else ""
            raise ProdgenError(f"{name} is not for pictures of photographs{instead}", param=name)
    if spec.finish.preset:
        _check_preset(spec, studio)
        return
    frame = studio.frame(spec.finish)
    if min(frame.width, frame.height) < SMALLEST_SIDE:
        raise ProdgenError(
            f"pictures of photographs are at least {SMALLEST_SIDE} pixels wide and high, not {frame.width} x "
            f"{frame.height}; set finish.size higher",
            param="finish.size",
        )


def _check_preset(spec: JobSpec, studio: StudioConfig) -> None:
    name = spec.finish.preset or ""
    rules = studio.presets.get(name)
    if rules is None:
        raise ProdgenError(
            f"no preset is named {name!r}; there are {', '.join(studio.presets)}", param="finish.preset"
        )
    for field in ("size", "aspect", "copy_space"):
        if getattr(spec.finish, field) is not None:
            raise ProdgenError(
                f"the preset {name} sets the {field.replace('_', ' ')}; leave finish.{field} out",
                param=f"finish.{field}",
            )
    if spec.output.format != rules.format:
        raise ProdgenError(
            f"the preset {name} wants {rules.format} files; set output.format to {rules.format}",
            param="output.format",
        )
    _check_scene(spec, studio, spec.attributes)


def checked_items(
    store: Store, tenant: str, spec: JobSpec, config: ModelConfig, items: Iterable[Item | ProdgenError]
) -> Iterator[Item | ProdgenError]:
    """Yield each item; or, if one of its uploads cannot be used, an error that names the item's row.

    Looks up each upload once, several in parallel, and mostly reads only their first and last bytes. Raises
    ProdgenError if a background or a swatch of the whole order cannot be used.
    """
    studio, numbered = studio_config(config), enumerate(items, 1)
    if studio is None:
        yield from _generated_items(store, tenant, spec, config, numbered)
        return
    rules = studio.presets.get(spec.finish.preset or "")
    only = spec.finish.preset if rules and rules.photographs_only else None
    frame = studio.frame(spec.finish)
    too_small = partial(background_fault, width=frame.width, height=frame.height)
    photos = _Uploads(store, tenant, "photograph", picture_fault, only)
    mattes = Mattes(store, tenant, studio.photo_side)
    own = {
        SCENE: _Uploads(store, tenant, "background", too_small, only),
        MATERIAL: _Uploads(store, tenant, "swatch", swatch_fault, only),
    }
    for name, uploads in own.items():
        uploads.look_up(_digests(spec.attributes, name))
        uploads.check(_digests(spec.attributes, name), f"attributes.{name}")
    while block := list(islice(numbered, _BLOCK)):
        read = [item for _, item in block if isinstance(item, Item)]
        photos.look_up(photo for item in read if item.photo for photo in photos_of(item.photo))
        mattes.look_up(read)
        for name, uploads in own.items():
            uploads.look_up(digest for item in read for digest in _digests(item.attributes, name))
        for number, item in block:
            try:
                if isinstance(item, Item):
                    photos.check(_photos(item), "photo")
                    mattes.check(item)
                    _check_scene(spec, studio, item.attributes)
                    for name, uploads in own.items():
                        uploads.check(_digests(item.attributes, name), f"attributes.{name}")
                yield item
            except ProdgenError as error:
                yield item_fault(item, number, error)  # type: ignore[arg-type]  # only items are checked


def check_upload(store: Store, tenant: str, digest: str) -> None:
    """Raise ProdgenError unless the upload ``digest`` is a picture that a model can redraw."""
    pictures = _Uploads(store, tenant, "picture", picture_fault, None)
    pictures.look_up([digest])
    pictures.check([digest], "picture")


def _photos(item: Item) -> list[str]:
    if item.picture:
        raise ProdgenError(
            "a picture is for models that generate images; name the photograph as photo", param="picture"
        )
    if item.photo is None:
        if item.matte:
            raise ProdgenError(
                "matte marks the product of a photograph; name the photograph as photo", param="matte"
            )
        raise ProdgenError("photo is missing; name the photograph of the product", param="photo")
    return photos_of(item.photo)


def _generated_items(
    store: Store,
    tenant: str,
    spec: JobSpec,
    config: ModelConfig,
    numbered: Iterator[tuple[int, Item | ProdgenError]],
) -> Iterator[Item | ProdgenError]:
    """Yield each item of a model that generates images, whose uploads are pictures to draw again."""
    pictures = _Uploads(store, tenant, "picture", picture_fault, None)
    while block := list(islice(numbered, _BLOCK)):
        pictures.look_up(i.picture.sha256 for _, i in block if isinstance(i, Item) and i.picture)
        for number, item in block:
            try:
                if isinstance(item, Item):
                    _check_generated(spec, config, item, pictures)
                yield item
            except ProdgenError as error:
                yield item_fault(item, number, error)  # type: ignore[arg-type]  # only items are checked


def _check_generated(spec: JobSpec, config: ModelConfig, item: Item, pictures: "_Uploads") -> None:
    if item.photo or item.matte:
        name = "photo" if item.photo else "matte"
        raise ProdgenError(f"{spec.model} takes no photographs; leave {name} out", param=name)
    if item.picture is None:
        return
    if spec.quality_gate:
        raise ProdgenError(
            "an image that starts from a picture is the same in every attempt; leave quality_gate out",
            param="quality_gate",
        )
    check_picture(spec.model, config, item.picture.attributes)
    pictures.check([item.picture.sha256], "picture")


def _check_scene(spec: JobSpec, studio: StudioConfig, attributes: RequestedValues) -> None:
    """Raise ProdgenError if ``attributes`` ask for a scene that differs from the ground of the preset."""
    rules = studio.presets.get(spec.finish.preset or "")
    if rules is None or rules.ground is None:
        return
    for scene in _values(attributes, SCENE):
        try:
            same = parse_colour(scene) == rules.ground
        except ValueError:
            same = False
        if not same:
            raise ProdgenError(
                f"the preset {spec.finish.preset} wants the ground {rules.ground}, not {scene!r}; "
                "leave scene out",
                param=f"attributes.{SCENE}",
            )


def _values(attributes: RequestedValues, name: str) -> list[str]:
    """Return the values of the attribute ``name`` in ``attributes``, in the spelling of the order."""
    found = [values for written, values in attributes.items() if fold(written) == name]
    return [value for values in found for value in ([values] if isinstance(values, str) else values)]


def _digests(attributes: RequestedValues, name: str) -> list[str]:
    """Return the digests of uploads among the values of an attribute."""
    return [value for value in _values(attributes, name) if is_digest(value)]


class _Uploads:
    """Checks uploads that an order names as ``kind``: photograph, background, swatch or picture.

    ``fault`` checks the first bytes of a file. ``only``: the name of the order's preset, if the preset takes
    only photographs of real products; else None.
    """

    def __init__(self, store: Store, tenant: str, kind: str, fault: Fault, only: str | None) -> None:
        self._store, self._tenant, self._kind, self._fault, self._only = store, tenant, kind, fault, only
        self._known: dict[str, str | None] = {}

    def look_up(self, digests: Iterable[str]) -> None:
        """Find the faults of the uploads ``digests``. Skips uploads that are known already."""
        new = [digest for digest in dict.fromkeys(digests) if digest not in self._known]
        self._known.update(zip(new, in_threads(self._look_at, new), strict=True))

    def check(self, digests: Iterable[str], param: str) -> None:
        """Raise ProdgenError if one of the uploads cannot be used. Call `look_up` with ``digests`` before."""
        for digest in digests:
            if fault := self._known[digest]:
                raise ProdgenError(fault, param=param)

    def _look_at(self, digest: str) -> str | None:
        key = keys.upload(self._tenant, digest)
        try:
            head = read_head(self._store, key)
            fault = self._fault(head) or self._end_fault(key, head)
            if fault is None and self._only and read_provenance(io.BytesIO(head)).generative:
                fault = f"was generated by a model, and {self._only} takes photographs of real products only"
        except NotFound:
            return f"there is no upload {digest}; send the {self._kind} to /v1/uploads first"
        return f"the upload {digest} {fault}" if fault else None

    def _end_fault(self, key: str, head: bytes) -> str | None:
        """Return why an upload that begins with ``head`` is cut short, or None if it is whole."""
        size = self._store.stat(key).size if len(head) == HEAD else len(head)
        if size == len(head):
            return end_fault(head)
        if not end_fault(head, self._store.get(key, size - TAIL, TAIL), size):
            return None
        return end_fault(self._store.get(key))  # phones append films to photographs
