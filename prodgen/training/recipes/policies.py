"""The augmentations by name. A policy is a string of them; what they do is `prodgen.training.methods.augment`'s."""

from prodgen.errors import ProdgenError

SHAPE = ("flip", "translation", "rotation", "scale", "cutout")
COLOUR = ("brightness", "contrast", "saturation")
POLICIES = (*SHAPE, *COLOUR)


def check_channels(policy: str, channels: int) -> None:
    """Raises ProdgenError if images of so many channels have nothing that the policy could change."""
    if "saturation" in names(policy) and channels == 1:
        raise ProdgenError("saturation has nothing to change: the images have one channel, grey")


def names(policy: str) -> list[str]:
    """``"flip,cutout"`` -> its names."""
    return [name.strip() for name in policy.split(",") if name.strip()]
