"""The languages of the studio. English sentences are the keys of the catalogues of other languages."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import Request

COOKIE = "prodgen_language"
NAMES = {"en": "English", "zh": "中文"}
"""The name of each language, in the language itself."""

CATALOGUES: Mapping[str, Mapping[str, str]] = {
    "en": {"succeeded": "done", "partial": "done in part"},
    "zh": json.loads((Path(__file__).parent / "zh.json").read_text(encoding="utf-8")),
}
"""The translations of each language, by the English text."""


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
