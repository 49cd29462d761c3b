"""Write and read the marks of a picture file, which say how the picture was made.

The marks are XMP (ISO 16684-1): IPTC's DigitalSourceType, which shops and platforms look for, and the recipe
of the picture as JSON. Marks name no order, time or tenant, because equal recipes must give equal files.
"""

import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple
from xml.sax.saxutils import escape

from PIL import Image

from prodgen.errors import ProdgenError
from prodgen.spec.photograph import FORMATS

SourceType = Literal[
    "trainedAlgorithmicMedia",
    "algorithmicallyEnhanced",
    "composite",
    "compositeCapture",
    "compositeSynthetic",
]
"""Concepts of IPTC's vocabulary of digital source types, https://cv.iptc.org/newscodes/digitalsourcetype/."""
GENERATED: SourceType = "trainedAlgorithmicMedia"
"""IPTC: "created algorithmically using an Artificial Intelligence model trained on captured content"."""
GENERATIVE = frozenset({GENERATED, "compositeSynthetic", "compositeWithTrainedAlgorithmicMedia"})
"""The IPTC concepts that say: a generative model made the picture, or a part of it."""

VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_PRODGEN = "https://prodgen.dev/ns/1.0/"
_HEAD = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    f'xmlns:Iptc4xmpExt="{_IPTC}" xmlns:prodgen="{_PRODGEN}" Iptc4xmpExt:DigitalSourceType="{VOCABULARY}'
)
_TAIL = '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
GIF_XMP = b"\x21\xff\x0bXMP DataXMP"
"""The bytes before the XMP packet in a GIF file."""
_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_MAX_XMP = 1 << 20
"""A larger XMP packet (bytes) is not parsed."""


class Provenance(NamedTuple):
    """How a picture was made, as the metadata of its file says. A field that the file lacks is None."""

    digital_source_type: str | None
    recipe: dict[str, Any] | None

    @property
    def generative(self) -> bool:
        """Whether a generative model made the picture, wholly or in part."""
        return self.digital_source_type in GENERATIVE


def edited_source_type(*, generative: bool, recoloured: bool, on_photograph: bool) -> SourceType:
    """Return the source type of a picture that was made from a photograph.

    ``generative``: whether the photograph's own marks name one of `GENERATIVE`. Editing uses no generative
    model, but the photograph itself may come from one. ``recoloured``: whether the product's colour was
    changed. ``on_photograph``: whether the ground is another photograph.
    """
    if generative:
        return "compositeSynthetic"  # IPTC: several elements, "at least one of which is Generative AI"
    if recoloured:
        return "composite"  # algorithmicallyEnhanced would promise "without changing the main content"
    if on_photograph:
        return "compositeCapture"  # IPTC: "several elements that are all captures of real life"
    return "algorithmicallyEnhanced"


def make_xmp(source_type: SourceType, recipe: Mapping[str, Any]) -> bytes:
    """Return an XMP packet with the digital source type, and with the recipe if it is not empty."""
    about = f"<prodgen:recipe>{escape(_JSON.encode(recipe))}</prodgen:recipe>" if recipe else ""
    return f'{_HEAD}{source_type}">{about}{_TAIL}'.encode()


def read_provenance(file: Path | IO[bytes]) -> Provenance:
    """Return the marks of a picture file, which any program may have written.

    Raises ProdgenError if the file is no picture. The fields are None if the marks cannot be parsed.
    """
    return _parse(read_xmp(file))


def read_xmp(file: Path | IO[bytes]) -> bytes:
    """Return the XMP packet of a picture file; b"" if it has none, or one that is too large.

    Raises ProdgenError if the file is no picture.
    """
    try:
        with Image.open(file, formats=FORMATS) as image:
            packet = image.info.get("xmp") or b""
            if image.format == "GIF" and image.fp:
                packet = _gif_xmp(image.fp)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        where = "the file" if isinstance(file, io.IOBase) else file
        raise ProdgenError(f"{where} is no picture that can be read: {error}") from None
    if isinstance(packet, str):
        packet = packet.encode(errors="replace")
    return packet if len(packet) <= _MAX_XMP else b""


def _gif_xmp(file: IO[bytes]) -> bytes:
    """Return the XMP packet of a GIF, or b"" if it has none. Pillow does not return it."""
    file.seek(0)
    _, _, found = file.read(2 * _MAX_XMP).partition(GIF_XMP)
    return found.partition(b"\1\xff\xfe")[0]


class _Elements(ET.TreeBuilder):
    """Builds XML elements. Raises ValueError for a DTD, because its entities could fill the memory."""

    def doctype(self, *_: str | None) -> None:
        raise ValueError("XMP has no DTD")


def _parse(packet: bytes) -> Provenance:
    try:
        root = ET.fromstring(packet.strip(b"\0 \r\n\t"), ET.XMLParser(target=_Elements()))  # noqa: S314
        recipe = json.loads(_property(root, _PRODGEN, "recipe") or "null")
    except (ET.ParseError, ValueError, LookupError, RecursionError):  # LookupError: an unknown encoding
        return Provenance(None, None)
    kind = _property(root, _IPTC, "DigitalSourceType")
    known = kind and re.fullmatch(r"(?:https?://cv\.iptc\.org/newscodes/digitalsourcetype/)?(\w{1,64})", kind)
    return Provenance(known[1] if known else None, recipe if isinstance(recipe, dict) else None)


def _property(root: ET.Element, namespace: str, name: str) -> str | None:
    """Return a property's text, or None. XMP writes a property as an element or as an attribute."""
    tag = f"{{{namespace}}}{name}"
    for element in root.iter():
        if element.tag == tag:
            return (element.text or "").strip() or None
        if tag in element.attrib:
            return element.attrib[tag]
    return None
