"""Merge categories that look alike, so that a model does not have to tell them apart."""

from collections.abc import Mapping, Sequence

from prodgen.catalog.listing import Listing
from prodgen.errors import ProdgenError
from prodgen.spec.spelling import normalise

ATTRIBUTE = "category"


def parse_merges(texts: Sequence[str]) -> dict[str, str]:
    """Return the new category of each category to merge, from texts such as ``polo,blouse=shirt``.

    Raises ProdgenError for a text of another form, or a category that is merged twice.
    """
    merges: dict[str, str] = {}
    for text in texts:
        before, equals, after = text.partition("=")
        names, name = [normalise(part) for part in before.split(",")], normalise(after)
        if not equals or not name or {"=", ","} & {*name} or not all(names):
            raise ProdgenError(
                f"the merge {text!r} is not OLD,OLD=NEW, for instance polo,blouse=shirt", param="merge"
            )
        for old in names:
            if merges.setdefault(old, name) != name:
                raise ProdgenError(f"{old} is merged into both {merges[old]} and {name}", param="merge")
    return merges


def merge_categories(listing: Listing, merges: Mapping[str, str]) -> Listing:
    """Return the listing with categories renamed; raises ProdgenError for a category that does not exist."""
    check_merges(merges, listing.values.get(ATTRIBUTE, ()))

    def renamed(known: dict[str, str]) -> dict[str, str]:
        return {n: merges.get(v, v) if n == ATTRIBUTE else v for n, v in known.items()}

    pictures = [picture._replace(known=renamed(picture.known)) for picture in listing.pictures]
    values = {n: sorted({renamed({n: v})[n] for v in found}) for n, found in listing.values.items()}
    return Listing(pictures, {name: tuple(found) for name, found in values.items()})


def check_merges(merges: Mapping[str, str], categories: Sequence[str]) -> None:
    """Raise ProdgenError if a category to merge is none of ``categories``."""
    unknown = sorted(merges.keys() - set(categories))
    if unknown:
        there = f"there are {', '.join(categories)}" if categories else "the pictures have no categories"
        raise ProdgenError(f"there is no category {unknown[0]!r} to merge; {there}", param="merge")
