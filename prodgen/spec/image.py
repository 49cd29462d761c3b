"""The request for one image."""

from dataclasses import dataclass, replace

from prodgen.spec.attributes import AttributeSchema


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """One image of an order: its index, its position in the random streams, and its attributes.

    ``draw`` is the position in the streams of ``seed``; ``repeat`` counts the images of the same SKU.
    """

    index: int
    seed: int
    draw: int
    attributes: dict[str, str]
    sku: str | None = None
    repeat: int = 0
    attempt: int = 0


def resolve_attributes(schema: AttributeSchema, images: list[ImageRequest]) -> list[ImageRequest]:
    """Return the requests with every missing attribute drawn from the training distribution."""
    drawn = schema.resolve([i.attributes for i in images], [i.seed for i in images], [i.draw for i in images])
    return [replace(image, attributes=attributes) for image, attributes in zip(images, drawn, strict=True)]
