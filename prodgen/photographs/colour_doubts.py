"""Say why a product cannot be recoloured well."""

from prodgen.photographs.region import METHOD, Region

_LEAST_REGION, _LEAST_EARLIER = 0.75, 0.7
"""A product counts as patterned if its main colour covers less than this share of the product: people could
use few pictures of recoloured patterns. The second number is for methods 1 and 2."""
_MOST_UNCLEAR = 0.018  # largest share of the product that may be either print or shadow
_MOST_KEPT, _MOST_INKED = 0.005, 0.045
"""The most of a product, as shares, that may keep its colour, and that may be as sharp as a print."""


def is_patterned(region: Region, method: int = METHOD) -> bool:
    """Return whether a product with this main region has a pattern, which a material hides.

    ``method``: the method by which `main_region` found the region.
    """
    return region.share < _least_share(method) or region.unclear > _MOST_UNCLEAR


def _least_share(method: int) -> float:
    return _LEAST_REGION if method > 2 else _LEAST_EARLIER


def doubts_about_colour(region: Region, method: int = METHOD) -> str | None:
    """Return why a product with this main region cannot be recoloured well, or None if it can.

    ``method``: as for `is_patterned`.
    """
    if region.share < _least_share(method):
        return f"no colour covers more than {region.share:.0%} of the product"
    if region.unclear > _MOST_UNCLEAR:
        return "print and shadow cannot be told apart, so patches would keep their colour"
    if method > 6 and region.kept > _MOST_KEPT:
        return "a part of the product, such as a print or a trim, would keep its colour"
    if method > 6 and region.inked > _MOST_INKED:
        return "a print would take the new colour"
    return None
