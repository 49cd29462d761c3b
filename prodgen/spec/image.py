"""What one image is made from."""

from dataclasses import dataclass, replace

from prodgen.spec.attributes import AttributeSchema


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """One image of an order: its place, its random streams, and what was asked of it.

    ``draw`` is its place in the streams of ``seed``; ``repeat`` its place among the images of its SKU.
    """

    index: int
    seed: int
    draw: int
    attributes: dict[str, str]
    sku: str | None = None
    repeat: int = 0
    attempt: int = 0


def resolve(schema: AttributeSchema, images: list[ImageRequest]) -> list[ImageRequest]:
    """The images with every attribute that was left out drawn from the training distribution."""
    drawn = schema.resolve([i.attributes for i in images], [i.seed for i in images], [i.draw for i in images])
    return [replace(image, attributes=attributes) for image, attributes in zip(images, drawn, strict=True)]
