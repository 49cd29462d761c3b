"""The request for one image."""

from dataclasses import dataclass, replace

from prodgen.spec.attributes import AttributeSchema


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """The request for one image of an order.

    ``draw`` is the image's position in the random streams of ``seed``. ``repeat`` numbers an item's images.
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
