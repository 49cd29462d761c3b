"""Make the pictures of orders of photographs, by a version of the registry."""

import io
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from prodgen.catalog.photographs.masks import Pixels
from prodgen.errors import ProdgenError, Unsupported
from prodgen.photographs.check import preset_findings
from prodgen.photographs.cutout import cut_out, cut_out_by
from prodgen.photographs.cutters import Cutter, check_weights, load_cutter
from prodgen.photographs.edit import encode
from prodgen.photographs.learnt import Learnt, learn, read_photograph
from prodgen.photographs.materials import Material, material
from prodgen.photographs.product import Look, Product, to_pixels
from prodgen.photographs.retouch import retouch
from prodgen.photographs.scenes import Background, ground, is_picture
from prodgen.photographs.together import Together
from prodgen.spec.attributes import SCENE
from prodgen.spec.finish import Finish, Frame
from prodgen.spec.matte import sources_of
from prodgen.spec.model_config import StudioConfig, folder_version, read_config, studio_config
from prodgen.spec.order import ImageRequest
from prodgen.spec.photograph import is_digest
from prodgen.spec.provenance import edited_source_type, make_xmp, read_provenance

METHODS = (1, 2, 3, 4, 5, 6, 7)
"""Numbers of the methods by which this code cuts out, recolours, places and lights products.

A change of the code that changes pictures needs a new number here, and a new version in ``prodgen/bundled``.
Method 1 does not recolour patches of a product in deep shadow or in light of another tint. Methods 1 and 2
may recolour parts of a print. Before method 4, a material covers only the main colour of a patterned product.
Methods 1 to 3 find few hangers. Method 5 makes white visible on white, finds dark prints and more hangers,
cuts gaps out, and doubts pictures in which a print has the colour asked for. Method 6 recolours more light
and shadow, cuts out gaps that show white or grey ground where the network is unsure, and trusts more prints.
Method 7 trusts only products of one colour in other colours than their own: people could use too few
recoloured products with prints.
"""


class StudioPicture(NamedTuple):
    """A picture file. ``review`` says why the picture is not trusted; None if the picture is trusted.

    ``findings`` lists the rules of the order's preset that the picture breaks; None without a preset.
    """

    data: bytes
    review: str | None
    findings: tuple[str, ...] | None = None


class Source(NamedTuple):
    """The bytes of a photograph's file, and the matte and region that were learnt from the photograph."""

    data: bytes
    learnt: Learnt


class Studio:
    """A version that makes pictures of photographs: its config, its name and its digest."""

    def __init__(self, config: StudioConfig, name: str, digest: str, weights: Path | None = None) -> None:
        self.config, self.name, self.digest, self._weights = config, name, digest, weights
        self._ground = lru_cache(4)(lambda *scene: Background(ground(*scene)))

    @property
    def id(self) -> str:
        """``name@digest``, which identifies the version in manifests."""
        return f"{self.name}@{self.digest}"

    @cached_property
    def cutter(self) -> Cutter:
        """The version's cutter; raises Unsupported if its file is not on this machine."""
        if self.config.cutter_sha256:
            check_weights(self.config.cutter, self.config.cutter_sha256, self._weights)
        return load_cutter(self.config.cutter, self._weights)

    def learn(self, data: bytes, matte: bytes | None = None) -> Learnt:
        """Return the matte and the region of the product in a photograph's file.

        ``matte``: the file of a matte, which is used instead of the cutter.
        """
        method = self.config.method
        by_cutter = partial(cut_out, method=method)
        cut = partial(cut_out_by, matte=matte) if matte else partial(by_cutter, cutter=self.cutter)
        return learn(data, cut, self.config.photo_side, method)

    def pictures(
        self,
        images: Iterable[ImageRequest],
        source: Callable[[str, str | None], Source],
        background: Callable[[str, int, int], Background],
        swatch: Callable[[str], Material],
        finish: Finish,
        format: str,
        marks: bool = True,
    ) -> Iterator[StudioPicture]:
        """Yield the picture of each request in order.

        ``source`` returns a photograph by its digest and the digest of its matte. ``background`` returns a
        ground by its digest, for a height and a width. ``swatch`` returns a material by its digest.
        Consecutive requests with the same photographs share the work on the photographs. A photograph without
        a product adds nothing to the scene, and the picture's ``review`` says so. ``marks``: whether the
        files say how they were made. Raises ProdgenError for a request that names no photograph.
        """

        def made_of(name: str) -> Material:
            return swatch(name) if is_digest(name) else material(name)

        named, sources, product, generative = None, list[Source](), None, False
        frame = self.config.frame(finish)
        for image in images:
            if image.photo is None:
                raise ProdgenError(f"image {image.index} names no photograph, from which {self.id} makes it")
            if (image.photo, image.matte) != named:
                named = image.photo, image.matte
                sources = [source(*one) for one in sources_of(*named)]
                shown = [one for one in sources if one.learnt.has_product]
                product = self._product(shown, frame, finish, made_of)
                generative = any(read_provenance(io.BytesIO(one.data)).generative for one in shown)
            look, scene = Look.of(image.attributes), image.attributes[SCENE]
            behind = (background if is_digest(scene) else self._ground)(scene, frame.height, frame.width)
            made = made_of(look.material) if look.material else None
            by_model = generative or behind.generative or (made is not None and made.generative)
            xmp = self._xmp(image, product, finish, by_model) if marks else b""
            doubts = [
                doubt
                for learnt in (one.learnt for one in sources)
                for doubt in (*learnt.doubts, self._doubt_of(learnt, look))
            ]
            doubts += [behind.fault, made.fault if made else None, product.doubt(look) if product else None]
            pixels = product.picture(look, scene, behind.pixels) if product else to_pixels(behind.pixels)
            review = "; ".join(dict.fromkeys(filter(None, doubts))) or None
            yield self._encoded(pixels, finish, format, xmp, review)

    def _doubt_of(self, learnt: Learnt, look: Look) -> str | None:
        """Return why a product cannot have a look, or None. From method 4 on, materials hide patterns."""
        hidden = look.material is not None and self.config.method > 3
        return None if look == Look() or hidden else learnt.colour_doubt

    def _product(
        self, sources: list[Source], frame: Frame, finish: Finish, made_of: Callable[[str], Material]
    ) -> Product | Together | None:
        """Return the product of one source, or the products of several sources together; None for no source.

        Raises ProdgenError if a photograph's file cannot be read any more.
        """
        products = list[Product]()
        for found, area in zip(sources, frame.areas(len(sources)) if sources else (), strict=True):
            photograph = read_photograph(found.data, self.config.photo_side)
            if isinstance(photograph, str):
                raise ProdgenError(f"a photograph has changed: {photograph}")
            planes, own_ground = found.learnt.planes(photograph), photograph.alpha is None
            planes = retouch(finish.retouch, *planes, ground=own_ground)
            patterned = self.config.method > 3 and found.learnt.patterned
            products.append(Product(*planes, frame, area, made_of, patterned, self.config.method))
        return Together(products) if len(products) > 1 else products[0] if products else None

    def _encoded(
        self, pixels: Pixels, finish: Finish, format: str, xmp: bytes, review: str | None
    ) -> StudioPicture:
        rules = self.config.presets.get(finish.preset or "")
        data = encode(Image.fromarray(pixels), format, xmp, rules and rules.most_bytes)
        findings = preset_findings(data, finish.preset) if finish.preset else None
        return StudioPicture(data, review, findings)

    def _xmp(
        self, image: ImageRequest, product: Product | Together | None, finish: Finish, generative: bool
    ) -> bytes:
        recipe = {
            "model": self.id,
            "photo": image.photo,
            "matte": image.matte,
            "attributes": image.attributes,
            "finish": finish.model_dump(exclude_defaults=True),
            "upscaled": round(product.scale, 2) if product and product.scale > 1 else None,
        }
        recoloured = Look.of(image.attributes) != Look()
        several = is_picture(image.attributes[SCENE]) or isinstance(product, Together)
        kind = edited_source_type(generative=generative, recoloured=recoloured, on_photograph=several)
        return make_xmp(kind, {name: value for name, value in recipe.items() if value})


def load_studio(folder: Path, name: str, weights: Path | None = None) -> Studio:
    """Return the version in a model folder; raises Unsupported if this prodgen lacks the version's method.

    ``weights``: the folder with the cutter's file; the default is that of `load_cutter`. Raises ProdgenError
    for a model that makes no pictures of photographs.
    """
    config = studio_config(read_config(folder))
    if config is None:
        raise ProdgenError(f"{folder} generates images; it makes no pictures of photographs")
    studio = Studio(config, name, folder_version(folder), weights)
    if config.method not in METHODS:
        raise Unsupported(
            f"{studio.id} makes pictures by method {config.method}, this prodgen by methods 1 to "
            f"{METHODS[-1]}; order another version, or use a prodgen that contains {studio.id}"
        )
    return studio
