"""Write titles, alt texts and file names for pictures, in English and Chinese, from the pictures' recipes.

Each language has a file of templates in ``languages/``. A text names only attributes and grounds that are in
the recipe, so text and recipe cannot contradict each other.
"""

import string
import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict

from prodgen.spec.colour import levels, parse_colour, parse_gradient
from prodgen.spec.colour_words import colour_names, nearest
from prodgen.spec.directions import PROPERTIES
from prodgen.spec.finish import safe_name
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.photograph import ORIGINAL, is_digest
from prodgen.spec.vocabulary import chinese_word

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
_FARTHEST = 16.0
"""The greatest difference (CIEDE2000) between a colour and the named colour whose name a text uses."""


class Description(BaseModel, frozen=True):
    """The texts for one picture: title, alt text, and a file name that says what the picture shows."""

    title: str
    alt: str
    name: str


class _Templates(BaseModel, frozen=True):
    model_config = ConfigDict(extra="forbid")

    title: str
    capital: bool
    alt: str
    other: str
    product: str
    ground: str
    gradient: str
    transparent: str
    picture: str
    grounds: dict[str, str]
    words: dict[str, str]


def describe(
    attributes: Mapping[str, str], ground: str | None, file: str, language: Language = "en"
) -> Description:
    """Return the texts for a picture in a language.

    ``attributes``: the attributes of the picture; the texts do not mention steps of directions. ``ground``:
    a scene, a colour or a picture; None for the model's own ground. ``file``: the current file name.
    """
    texts = _templates(language)
    left = {k: v for k, v in attributes.items() if k not in PROPERTIES or v.strip("-.0123456789")}
    ground = left.pop("scene", ground)
    shown = {"colour": _colour(left.pop("colour", ""), language)}
    shown |= {name: _word(left.pop(name, ""), language) for name in ("material", "pattern", "category")}
    shown["category"] = shown["category"] or texts.product
    title = " ".join(texts.title.format_map(shown).split())
    alt = title if ground is None else texts.alt.format(title=title, ground=_ground(ground, language))
    for name, value in sorted(left.items()):
        alt += texts.other.format(name=_word(name, language), value=_word(value, language))
    if texts.capital:
        title, alt = title[:1].upper() + title[1:], alt[:1].upper() + alt[1:]
    slug = safe_name(title.lower().replace(" ", "-"))
    return Description(title=title, alt=alt, name=f"{slug}-{Path(file).name}")


def describe_line(line: ManifestLine, language: Language = "en") -> Description:
    """Return the texts for the picture of a manifest line."""
    return describe(line.attributes, line.finish.background, line.file, language)


def describe_recipe(recipe: Mapping[str, Any], file: str, language: Language = "en") -> Description:
    """Return the texts for a picture from the recipe in its file. The recipe may be of an unknown program."""
    attributes, finish = recipe.get("attributes"), recipe.get("finish")
    named = (
        {str(name): str(value) for name, value in attributes.items()} if isinstance(attributes, dict) else {}
    )
    ground = recipe.get("scene") or (finish.get("background") if isinstance(finish, dict) else None)
    return describe(named, None if ground is None else str(ground), file, language)


def _ground(scene: str, language: Language) -> str:
    texts = _templates(language)
    if scene in texts.grounds:
        return texts.grounds[scene]
    if colours := parse_gradient(scene):
        named = [_colour(colour, language) or colour for colour in colours]
        return texts.ground.format(colour=texts.gradient.format(*named))
    try:
        colour = parse_colour(scene)
    except ValueError:
        return texts.picture
    return texts.ground.format(colour=_colour(colour, language) or colour)


def _word(value: str, language: Language) -> str:
    """Return the word for an attribute's value; the value with spaces for ``_`` if the language has no word.

    Returns "" for `ORIGINAL` (the product's own colour or material) and for the digest of a swatch, because
    they have no name.
    """
    if value == ORIGINAL or is_digest(value):
        return ""
    found = _templates(language).words.get(value) or (chinese_word(value) if language == "zh" else None)
    return found or value.replace("_", " ")


@lru_cache(4096)
def _colour(value: str, language: Language) -> str:
    """Return the name of the colour ``value``; "" if it is no colour, or no similar colour has a name."""
    try:
        levels(value)
    except ValueError:
        return ""  # no colour was asked for, or the product's own
    if language == "en" and value.replace(" ", "").isalpha():
        return value
    return nearest(value, colour_names()[language], _FARTHEST) or ""


@cache
def _templates(language: Language) -> _Templates:
    text = (files("prodgen.spec") / "languages" / f"{language}.toml").read_text(encoding="utf-8")
    templates = _Templates.model_validate(tomllib.loads(text))
    fields = {field for _, field, _, _ in string.Formatter().parse(templates.title) if field}
    if fields != {"colour", "material", "pattern", "category"}:
        raise ValueError(f"the title of {language} must use colour, material, pattern and category")
    return templates
