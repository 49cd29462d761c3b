"""The languages of the studio. English sentences are the keys of the catalogues of other languages."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import Request
from PIL import ImageColor

COOKIE = "prodgen_language"
NAMES = {"en": "English", "zh": "中文"}
"""The name of each language, in the language itself."""

_CHINESE: dict[str, str] = json.loads((Path(__file__).parent / "zh.json").read_text(encoding="utf-8"))
_ENGLISH = {
    "succeeded": "done",
    "partial": "done in part",
    "cutter studio": "a network (U²-Netp)",
    "cutter studio-grabcut": "its colours (GrabCut)",
}
_COLOURS = {colour: name for name, colour in ImageColor.colormap.items() if isinstance(colour, str)}

CATALOGUES: Mapping[str, Mapping[str, str]] = {
    "en": {**_ENGLISH, **_COLOURS},
    "zh": {**_CHINESE, **{colour: _CHINESE.get(name, name) for colour, name in _COLOURS.items()}},
}
"""The translations of each language, by the English text. CSS colours (``#rrggbb``) become their names."""


def language_of(request: Request) -> str:
    """Return the language that the person has chosen, or the first that the browser accepts, or English."""
    if (chosen := request.cookies.get(COOKIE)) in NAMES:
        return str(chosen)
    accepted = request.headers.get("accept-language", "").lower().split(",")
    return next((code for part in accepted if (code := part.strip()[:2]) in NAMES), "en")


def translate(language: str, text: str, **values: Any) -> str:
    """Return ``text`` in a language, its ``{names}`` replaced by ``values``. Unknown texts stay English."""
    found = CATALOGUES[language].get(text, text)
    return found.format(**values) if values else found
