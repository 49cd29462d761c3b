"""Mark picture files with how they were made, and read the marks back.

The marks are XMP (ISO 16684-1): IPTC's DigitalSourceType, which shops and platforms look for, and the recipe
of the picture as JSON.
"""

import io
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, Literal, NamedTuple

from PIL import Image, PngImagePlugin

from prodgen.errors import ProdgenError

Making = Literal["generated", "edited"]
SOURCE_TYPES: dict[Making, str] = {
    # https://cv.iptc.org/newscodes/digitalsourcetype: made by a model that was trained on sampled content.
    "generated": "trainedAlgorithmicMedia",
    # A photograph that an algorithm changed. No generative model makes any pixel of an edited photograph:
    # colours are shifted, and the ground is plain, computed or another photograph.
    "edited": "algorithmicallyEnhanced",
}
_VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_META = "adobe:ns:meta/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_PRODGEN = "https://prodgen.dev/ns/1.0/"
for _prefix, _uri in (("x", _META), ("rdf", _RDF), ("Iptc4xmpExt", _IPTC), ("prodgen", _PRODGEN)):
    ET.register_namespace(_prefix, _uri)
_LARGEST = 1 << 20  # bytes of XMP that are parsed


class Provenance(NamedTuple):
    """How a picture was made, as the metadata of its file says. A part without metadata is None."""

    digital_source_type: str | None
    recipe: dict[str, Any] | None


def make_xmp(making: Making, recipe: dict[str, Any]) -> bytes:
    """Return an XMP packet with the digital source type and the recipe."""
    root = ET.Element(f"{{{_META}}}xmpmeta")
    description = ET.SubElement(ET.SubElement(root, f"{{{_RDF}}}RDF"), f"{{{_RDF}}}Description")
    description.set(f"{{{_RDF}}}about", "")
    ET.SubElement(description, f"{{{_IPTC}}}DigitalSourceType").text = _VOCABULARY + SOURCE_TYPES[making]
    ET.SubElement(description, f"{{{_PRODGEN}}}recipe").text = json.dumps(recipe, sort_keys=True)
    packet = ET.tostring(root, encoding="unicode")
    return f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>{packet}<?xpacket end="w"?>'.encode()


def save_marked(image: Image.Image, format: str, xmp: bytes, quality: int) -> bytes:
    """Encode an image as a file that carries the XMP packet; return its bytes.

    ``format``: png, webp (both lossless) or jpeg; ``quality``, from 1 to 100, is for jpeg.
    """
    buffer = io.BytesIO()
    if format == "png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        image.save(buffer, "PNG", pnginfo=info)
    elif format == "webp":
        image.save(buffer, "WEBP", lossless=True, xmp=xmp)  # lossy WebP stains a white ground
    else:
        image.save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True, xmp=xmp)
    return buffer.getvalue()


def read_provenance(path: Path) -> Provenance:
    """Return the marks of a picture file; raises ProdgenError if the file is no picture."""
    try:
        with Image.open(path) as image:
            found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    except (OSError, ValueError) as error:
        raise ProdgenError(f"{path} is no picture: {error}") from None
    packet = found.encode() if isinstance(found, str) else found
    if not packet or len(packet) > _LARGEST or re.search(rb"<!(DOCTYPE|ENTITY)", packet):
        return Provenance(None, None)
    try:
        root = ET.fromstring(packet.strip(b"\0 \n"))  # noqa: S314 -- small, and without entities
        recipe = json.loads(_text(root, _PRODGEN, "recipe") or "null")
    except (ET.ParseError, ValueError):
        return Provenance(None, None)
    kind = _text(root, _IPTC, "DigitalSourceType")
    return Provenance(kind and kind.rsplit("/", 1)[-1], recipe if isinstance(recipe, dict) else None)


def _text(root: ET.Element, namespace: str, name: str) -> str | None:
    """Return a property's text; XMP allows both an element and an attribute."""
    for element in root.iter():
        if element.tag == f"{{{namespace}}}{name}":
            return (element.text or "").strip() or None
        if f"{{{namespace}}}{name}" in element.attrib:
            return element.attrib[f"{{{namespace}}}{name}"]
    return None
