"""Normalise, compare and split the names and values of attributes that people write."""

import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

_CHARACTER = re.compile(r"\\.|.", re.DOTALL)
_ESCAPED = re.compile(r"\\([|=,\\])")
_PAIR = re.compile(r"((?:\\.|[^\\=])+)=(.+)", re.DOTALL)
_SIMILAR = 0.8  # least likeness, from 0 to 1, of a name that an error message suggests
_SYNONYMS = (
    ("colour", "color", "colours", "colors"),
    ("count", "qty", "quantity", "number"),
    ("category", "type", "kind", "producttype"),
)
"""Groups of column names that mean the same in files of shops, but are too different for `difflib`."""


def normalise(text: str) -> str:
    """Return ``text`` with composed accents (NFC), no blanks at its ends, and single spaces within."""
    return " ".join(unicodedata.normalize("NFC", text).split())


@lru_cache(10_000)
def fold(text: str) -> str:
    """Return ``text`` normalised and without case. Two names or values are equal if these texts are."""
    return normalise(text).casefold()


def split_values(text: str) -> list[str]:
    """Split ``a|b`` into the normalised values ["a", "b"].

    After a backslash, ``|``, ``=``, ``,`` and the backslash are ordinary characters, and the first backslash
    is dropped. A backslash before any other character stays.
    """
    if "|" not in text and "\\" not in text:
        return [normalise(text)]
    return list(map(_plain, _split(text, "|")))


def split_pair(text: str) -> tuple[str, list[str]] | None:
    """Split ``name=a|b`` into ("name", ["a", "b"]); return None if ``text`` has another form.

    The escapes are those of `split_values`.
    """
    match = _PAIR.fullmatch(text)
    return (_plain(match[1]), split_values(match[2])) if match else None


def split_pairs(text: str) -> dict[str, str]:
    """Split ``a=b,c`` into {"a": "b", "c": "c"}: a name alone is its own value. Escapes as `split_values`."""
    pairs = {}
    for part in _split(text, ","):
        match = _PAIR.fullmatch(part)
        name = _plain(match[1] if match else part)
        pairs[name] = _plain(match[2]) if match else name
    return pairs


def did_you_mean(text: str, names: Iterable[str]) -> str:
    """Return "; did you mean NAME?" for the most similar of ``names``, or "" if none is similar."""
    found = most_similar(text, names)
    return f"; did you mean {found}?" if found else ""


def most_similar(text: str, names: Iterable[str]) -> str | None:
    """Return the name in ``names`` that ``text`` probably means, or None if no name is similar."""
    by_form = {_letters(name): name for name in names}
    same = next((group for group in _SYNONYMS if _letters(text) in group), ())
    likely = [*same, *fold(text).split(), *get_close_matches(_letters(text), by_form, 1, _SIMILAR)]
    return next((by_form[form] for form in likely if form in by_form), None)


def _letters(text: str) -> str:
    """Return the letters and digits of ``text``, folded; drop all other characters."""
    return re.sub(r"[\W_]", "", fold(text))


def _split(text: str, separator: str) -> list[str]:
    """Split ``text`` at each separator that has no backslash before it. The parts keep their backslashes."""
    parts = [""]
    for character in _CHARACTER.findall(text):
        if character == separator:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _plain(text: str) -> str:
    return normalise(_ESCAPED.sub(r"\1", text))
