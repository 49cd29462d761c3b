"""Show several products in one picture, such as the parts of an outfit."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor

from prodgen.catalog.photographs.masks import Pixels
from prodgen.photographs.product import SCENES, Look, Product, kept, to_pixels
from prodgen.photographs.scenes import has_shadow


class Together:
    """Several products, each in an area of the frame.

    ``scale`` is the largest factor by which one of the products was enlarged.
    """

    def __init__(self, products: Sequence[Product]) -> None:
        self.scale = max(product.scale for product in products)
        self._products = products
        self._scenes: OrderedDict[str, tuple[Pixels, list[Pixels]]] = OrderedDict()

    def picture(self, look: Look, scene: str, ground: Tensor) -> Pixels:
        """Return all products with a look on a ground. The arguments are those of `Product.picture`."""
        frame, visible = kept(self._scenes, scene, SCENES, lambda: self._visible(scene, ground))
        picture = frame.copy()
        for product, behind in zip(self._products, visible, strict=True):
            product.show(look, scene, behind, picture)
        return picture

    def doubt(self, look: Look) -> str | None:
        """Return why a look hides a print of one of the products, or None; see `Product.doubt`."""
        return next(filter(None, (product.doubt(look) for product in self._products)), None)

    def _visible(self, scene: str, ground: Tensor) -> tuple[Pixels, list[Pixels]]:
        behind = ground
        if has_shadow(scene):
            for product in self._products:
                behind = behind * product.light
        return to_pixels(behind), [product.visible(behind) for product in self._products]
