"""The languages of the studio. English sentences are the keys of the catalogues of other languages."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import Request
from PIL import ImageColor

COOKIE = "prodgen_language"
NAMES = {"en": "English", "zh": "中文"}
"""The name of each language, in the language itself."""


def _load(name: str) -> dict[str, str]:
    catalogue: dict[str, str] = json.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))
    return catalogue


def _pattern(sentence: str) -> re.Pattern[str]:
    """Return the pattern of a sentence whose ``{names}`` stand for any text."""
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+?)", re.escape(sentence)), re.DOTALL)


_CHINESE = _load("zh.json")
_ENGLISH = {
    "succeeded": "done",
    "partial": "done in part",
    "kl": "KL divergence",
    "forever": "for ever",
    "7d": "7 days",
    "30d": "30 days",
    "90d": "90 days",
    "365d": "a year",
    "cutter studio": "a network (U²-Netp)",
    "cutter studio-grabcut": "its colours (GrabCut)",
}


_COLOURS = {colour: name for name, colour in ImageColor.colormap.items() if isinstance(colour, str)}

CATALOGUES: Mapping[str, Mapping[str, str]] = {
    "en": {**_ENGLISH, **_COLOURS},
    "zh": {**_CHINESE, **{colour: _CHINESE.get(name, name) for colour, name in _COLOURS.items()}},
}
"""The translations of each language, by the English text. CSS colours (``#rrggbb``) become their names."""

SENTENCES: Mapping[str, Mapping[str, str]] = {"en": {}, "zh": _load("sentences_zh.json")}
"""The API's sentences by their English, with ``{names}`` for what differs. The first that fits is taken."""
_PATTERNS = {
    language: [(_pattern(english), local) for english, local in sentences.items()]
    for language, sentences in SENTENCES.items()
}


def language_of(request: Request) -> str:
    """Return the language that the person has chosen, or the first that the browser accepts, or English."""
    if (chosen := request.cookies.get(COOKIE)) in NAMES:
        return str(chosen)
    accepted = request.headers.get("accept-language", "").lower().split(",")
    return next((code for part in accepted if (code := part.strip()[:2]) in NAMES), "en")


def translate(language: str, text: str, **values: Any) -> str:
    """Return ``text`` in a language, its ``{names}`` replaced by ``values``. Unknown texts stay English.

    ``text`` may also be a sentence of the API, or a list of words. ``t`` of studio.js does the same.
    """
    if (found := CATALOGUES[language].get(text)) is None:
        for pattern, local in _PATTERNS[language]:
            if fit := pattern.fullmatch(text):
                parts = {name: translate(language, part) for name, part in fit.groupdict().items()}
                return local.format(**parts)
        words = text.split(", ")
        found = ", ".join(translate(language, word) for word in words) if len(words) > 1 else text
    return found.format(**values) if values else found
