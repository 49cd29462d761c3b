"""Convert pictures with an embedded colour profile (ICC) to sRGB, because all other code expects sRGB."""

import io

from PIL import Image, ImageCms

_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Pillow's mode of the pixels that a profile describes, by the profile's colour space."""
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION


def to_srgb(image: Image.Image) -> Image.Image:
    """Return a picture converted to sRGB, as RGB or RGBA.

    Returns a picture without a profile or with an sRGB profile unchanged, and also a picture of 16 bits,
    because Pillow converts only 8 bits. Raises ValueError for a profile that is broken or belongs to another
    kind of picture.
    """
    profile = image.info.get("icc_profile")
    if not profile or image.mode.startswith(("I", "F")):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        mode = _MODES[source.profile.xcolor_space.strip()]
        if (mode == "CMYK") != (image.mode == "CMYK") or (mode == "L" and image.mode not in ("1", "L", "LA")):
            raise ValueError(f"the profile is for {mode} and the picture is {image.mode}")
        alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
        converted = ImageCms.profileToProfile(
            image.convert(mode),
            source,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=_FLAGS,
        )
    except (ImageCms.PyCMSError, KeyError, OSError, TypeError) as error:
        raise ValueError(str(error)) from None
    if converted is None:
        raise ValueError("the profile converts nothing")
    if alpha:
        converted.putalpha(alpha)
    return converted


def foreign_colours(image: Image.Image) -> str | None:
    """Return the name of a picture's colour space; None if it is sRGB, or grey without a profile."""
    if profile := image.info.get("icc_profile"):
        try:
            name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).strip()
        except (ImageCms.PyCMSError, OSError, TypeError):
            return "a profile that cannot be read"
        return None if "srgb" in name.lower() else name or "a profile without a name"
    return "CMYK" if image.mode == "CMYK" else None
