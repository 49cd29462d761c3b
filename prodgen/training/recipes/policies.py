"""Names of augmentations. A policy is a list of names with commas, for `prodgen.training.methods.augment`."""

from prodgen.errors import ProdgenError

GEOMETRY = ("flip", "translation", "rotation", "scale", "cutout")
COLOUR = ("brightness", "contrast", "saturation")
AUGMENTATIONS = (*GEOMETRY, *COLOUR)


def check_channels(policy: str, channels: int) -> None:
    """Raise ProdgenError if an augmentation of ``policy`` cannot change images with ``channels`` channels."""
    if "saturation" in parse_policy(policy) and channels == 1:
        raise ProdgenError("saturation has nothing to change: the images have one channel, grey")


def parse_policy(policy: str) -> list[str]:
    """Return the list of names in a policy such as ``"flip,cutout"``."""
    return [name.strip() for name in policy.split(",") if name.strip()]
