"""The languages of the studio. A catalogue maps English sentences to sentences in another language."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import Request
from PIL import ImageColor

from prodgen.spec.colour_words import colour_names

COOKIE = "prodgen_language"
NAMES = {"en": "English", "zh": "中文"}
"""The name of each language, in the language itself."""


def _load(name: str) -> dict[str, str]:
    catalogue: dict[str, str] = json.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))
    return catalogue


def _literal(sentence: str) -> str:
    """Return a sentence without its ``{name}`` parts."""
    return re.sub(r"{\w+}", "", sentence)


def _pattern(sentence: str) -> re.Pattern[str]:
    """Return a regular expression for a sentence in which each ``{name}`` stands for any text."""
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
_WORDS = {language: dict(pairs) for language, pairs in colour_names().items()}

CATALOGUES: Mapping[str, Mapping[str, str]] = {
    "en": {**_ENGLISH, **_WORDS["en"], **_COLOURS},
    "zh": {
        **_CHINESE,
        **_WORDS["zh"],
        **{colour: _CHINESE.get(name, name) for colour, name in _COLOURS.items()},
    },
}
"""For each language, the translation of each English text, and the name of each colour (``#rrggbb``) of CSS
and of shops."""

_SENTENCES = sorted(_load("sentences_zh.json").items(), key=lambda pair: -len(_literal(pair[0])))
SENTENCES: Mapping[str, Mapping[str, str]] = {"en": {}, "zh": dict(_SENTENCES)}
"""For each language, the translations of sentences of the API, by the English sentence.

A part such as ``{name}`` stands for any text. Of several sentences that fit, the one with the
most text of its own is used.
"""
_PATTERNS = {
    language: [(_pattern(english), local) for english, local in sentences.items()]
    for language, sentences in SENTENCES.items()
}


def language_of(request: Request) -> str:
    """Return the code of the language that the person chose, or else the first that the browser accepts.

    Returns ``en`` if the studio has no such language.
    """
    if (chosen := request.cookies.get(COOKIE)) in NAMES:
        return str(chosen)
    accepted = request.headers.get("accept-language", "").lower().split(",")
    return next((code for part in accepted if (code := part.strip()[:2]) in NAMES), "en")


def translate(language: str, text: str, **values: Any) -> str:
    """Translate an English text, and replace each ``{name}`` in it by ``values[name]``.

    ``text`` may be a sentence of the API, or words with ", " between them. A text without a translation stays
    English. The function ``t`` of studio.js does the same.
    """
    if (found := CATALOGUES[language].get(text)) is None:
        for pattern, local in _PATTERNS[language]:
            if fit := pattern.fullmatch(text):
                parts = {name: translate(language, part) for name, part in fit.groupdict().items()}
                return local.format(**parts)
        words = text.split(", ")
        found = ", ".join(translate(language, word) for word in words) if len(words) > 1 else text
    return found.format(**values) if values else found
