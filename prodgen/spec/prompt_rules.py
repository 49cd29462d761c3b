"""The rules by which the words of a prompt become values of a model's attributes."""

import numpy as np
from pydantic import BaseModel, ConfigDict, computed_field

from prodgen.errors import ProdgenError
from prodgen.spec.attributes import Attribute, Choice
from prodgen.spec.colour import Floats, delta_e_2000, levels, to_lab
from prodgen.spec.colour_words import colour_words, modify
from prodgen.spec.model_config import ModelConfig
from prodgen.spec.prompt_words import Lexicon, Word, is_han, plain
from prodgen.spec.spelling import fold
from prodgen.spec.vocabulary import concepts

MOST_COUNT = 1000
"""A larger number in a prompt is no count of images."""
_SCENES = ("scene", "background", "backdrop")
_GROUNDS = {
    "white": "#ffffff",
    "白": "#ffffff",
    "白色": "#ffffff",
    "black": "#000000",
    "黑": "#000000",
    "黑色": "#000000",
}
"""Grounds are exactly white or black, which no cloth is."""
_UNITS = ("px", "pixels", "cm", "mm", "inch", "inches", "%", "year", "years", "yr")
_UNREAD = ("unknown", "lacking", "unclear", "detail", "modifier", "ground")
_ALIKE = 20.0
"""The greatest difference (CIEDE2000) between a colour and the value that a choice of colours has for it."""


class ReadWord(BaseModel):
    """Words of a prompt, and the attribute (or ``count`` or ``background``) and value that they mean."""

    model_config = ConfigDict(frozen=True)

    words: str
    name: str
    value: str


class Reading(BaseModel):
    """What a prompt asks for, which words say so, and the words that the model cannot follow."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    attributes: dict[str, list[str]]
    """The values of each attribute that the prompt names, as an order has them."""
    count: int | None = None
    """Images of each combination of attributes; null if the prompt names no number."""
    background: str | None = None
    """The colour behind the product (#rrggbb), for a model without an attribute for it."""
    read: list[ReadWord]
    """The words that were read, in the order of the prompt."""
    unread: list[str]
    """The words that change nothing, because the model has no attribute for them, or they are unknown."""

    @computed_field  # type: ignore[prop-decorator]  # pydantic's documented form
    @property
    def sentence(self) -> str:
        """The reading in one sentence."""
        found = ", ".join(
            f"{word.name} {word.value}" + (f" ({word.words})" if fold(word.words) != fold(word.value) else "")
            for word in self.read
        )
        return f"read: {found}" + (f"; not read: {', '.join(self.unread)}" if self.unread else "")


class Reader:
    """Read prompts for one model, in steps that each change the roles of words."""

    def __init__(self, config: ModelConfig, model: str) -> None:
        attributes = config.attributes.attributes
        self._model, self._lexicon = model, Lexicon(config.attributes, config.synonyms)
        self._category = next((a for a in config.attributes.choices if _is_category(a)), None)
        self._scene = next((a.name for a in attributes if fold(a.name) in _SCENES), None)
        colours = [a for a in attributes if a.name != self._scene and _has_colours(a)]
        self._colour = colours[0] if colours else None

    def read(self, prompt: str) -> Reading:
        words = _mix(self._lexicon.words(prompt))
        self._find_scenes(words)
        self._drop_details(words)
        self._negate(words)
        count = _count(words)
        picks = [(at, pick) for at, word in enumerate(words) if (pick := self._pick(word))]
        self._check_products(words, named={pick.name for _, pick in picks})
        _check_values(words, picks)
        reading = _reading(words, picks, count)
        self._check_known(words, reading)
        return reading

    def _find_scenes(self, words: list[Word]) -> None:
        """Give the role ``scene`` to colours of the background: "white background", "on white"."""
        for at, word in enumerate(words):
            before, after = _neighbours(words, at)
            if word.role == "value" and word.name == self._scene and after and after.role == "ground":
                after.role = "skip"
            if word.role != "colour":
                continue
            if after and after.role == "ground":
                word.role, after.role = "scene", "skip"
            elif before and before.role == "ground":
                word.role, before.role = "scene", "skip"
            elif before and before.role == "on" and not (after and self._is_product(after)):
                word.role = "scene"

    def _drop_details(self, words: list[Word]) -> None:
        """Give the role ``detail`` to words after "with" (patterns excepted) and "on"."""
        scope, seen = "", False
        for word in words:
            if word.role in ("with", "on"):
                scope = word.role if seen else ""
            elif word.role in ("in", "scene", "ground") or word.text in ",、":
                scope = ""
            elif (
                scope
                and word.role in ("value", "colour", "lacking", "unclear")
                and word.name != self._scene
                and (scope == "on" or word.role == "colour" or self._is_product(word))
            ):
                word.role = "detail"
            seen = seen or word.role in ("value", "colour")

    def _negate(self, words: list[Word]) -> None:
        """Read "no stripes" as plain, and drop any other word after "no" or "without"."""
        plain_value = self._lexicon.words("plain")[0]
        for at, word in enumerate(words):
            _, after = _neighbours(words, at)
            if word.role != "not" or after is None or after.role not in ("value", "colour", "lacking"):
                continue
            after.text = f"{word.text} {after.text}"
            if plain_value.role == "value" and after.name == plain_value.name:
                after.value = plain_value.value
            else:
                after.role = "detail"

    def _is_product(self, word: Word) -> bool:
        """Return whether a word names a kind of product, which the model may lack."""
        if word.role == "value":
            return self._category is not None and word.name == self._category.name
        return word.role in ("lacking", "unclear") and word.name == "category"

    def _pick(self, word: Word) -> ReadWord | None:
        """Return the attribute and value of a word; gives a word that has none the role ``detail``."""
        if word.role == "value":
            return ReadWord(words=word.text, name=word.name, value=word.value)
        if word.role == "scene":
            ground = self._lexicon.named(self._scene, word.text) or _GROUNDS.get(word.text, word.value)
            return ReadWord(words=word.text, name=self._scene or "background", value=ground)
        if word.role == "colour" and self._colour:
            value = word.value
            if isinstance(self._colour, Choice):
                value = _nearest(self._colour, word.value) or ""
            if value:
                return ReadWord(words=word.text, name=self._colour.name, value=value)
        if word.role == "colour":
            word.role = "detail"
        return None

    def _check_products(self, words: list[Word], named: set[str]) -> None:
        """Raise ProdgenError for a product that the model does not make, or that could be several."""
        if self._category is None:
            return
        for word in words:
            if not self._is_product(word) or word.role == "value":
                continue
            if word.role == "unclear" and self._category.name in named:  # "high-top sneakers"
                continue
            if word.role == "unclear":
                raise ProdgenError(f"{word.text} may be {word.value}; say which", param="prompt")
            raise ProdgenError(self._lacks(word.text), param="prompt")

    def _check_known(self, words: list[Word], reading: Reading) -> None:
        """Raise ProdgenError if the prompt may be of something that no table knows."""
        unknown = [word.text for word in words if word.role == "unknown"]
        if not reading.read:
            example = " ".join(
                [
                    *(["navy"] if self._colour else []),
                    self._category.values[0] if self._category else "on white",
                ]
            )
            named = ", ".join(reading.unread) or "the prompt"
            raise ProdgenError(
                f"no word means an attribute of {self._model}: {named}; write English or Chinese, "
                f"such as {example!r}",
                param="prompt",
            )
        if self._category and self._category.name not in reading.attributes and unknown:
            raise ProdgenError(self._lacks(" ".join(unknown)), param="prompt")

    def _lacks(self, words: str) -> str:
        makes = ", ".join(self._category.values) if self._category else ""
        return f"{self._model} makes no {words}; it makes {makes}"


def _mix(words: list[Word]) -> list[Word]:
    """Return the words, each "dark", "pale" or "bright" joined with the colour that follows."""
    mixed: list[Word] = []
    for word in words:
        while word.role == "colour" and mixed and mixed[-1].role == "modifier":
            modifier = mixed.pop()
            space = "" if is_han(word.text[0]) else " "
            text, value = f"{modifier.text}{space}{word.text}", modify(word.value, modifier.value)
            word = Word(text, "colour", value=value)
        mixed.append(word)
    return mixed


def _neighbours(words: list[Word], at: int) -> tuple[Word | None, Word | None]:
    """Return the words before and after a word, past articles and words without meaning."""
    empty = ("skip", "article")
    before = next((word for word in reversed(words[:at]) if word.role not in empty), None)
    return before, next((word for word in words[at + 1 :] if word.role not in empty), None)


def _count(words: list[Word]) -> ReadWord | None:
    """Return the number of pictures, or None. Gives other numbers, such as sizes, the role ``detail``."""
    found: ReadWord | None = None
    for at, word in enumerate(words):
        if word.role != "number":
            continue
        before, after = _neighbours(words, at)
        number = int(word.value[:9])
        sized = before and before.role == "size"
        if sized or not 0 < number <= MOST_COUNT or (after and after.text in _UNITS):
            word.role = "detail"
        elif found and at and words[at - 1].role == "number":  # two dozen
            found = ReadWord(
                words=f"{found.words} {word.text}", name="count", value=str(int(found.value) * number)
            )
        elif found:
            raise ProdgenError(f"the prompt names two counts, {found.words} and {word.text}", param="prompt")
        else:
            found = ReadWord(words=word.text, name="count", value=str(number))
    return found


def _check_values(words: list[Word], picks: list[tuple[int, ReadWord]]) -> None:
    """Raise ProdgenError if two values of an attribute exclude each other, or belong to two products."""
    for later, (at, pick) in enumerate(picks):
        same = [known for known in picks[:later] if known[1].name == pick.name]
        if not same:
            continue
        start, earlier = same[-1]
        if earlier.value == pick.value:
            continue
        if any(start < other < at for other, _ in picks):
            raise ProdgenError(
                f"{earlier.words} and {pick.words} seem to belong to two products; order each by itself",
                param="prompt",
            )
        joined = {word.role for word in words[start + 1 : at]} & {"or", "and"}
        if joined and not (joined == {"and"} and _is_one(words, start)):
            continue
        raise ProdgenError(
            f"{pick.name} cannot be both {earlier.words} and {pick.words}; write "
            f"'{earlier.words} or {pick.words}' to have pictures of each",
            param="prompt",
        )


def _is_one(words: list[Word], at: int) -> bool:
    """Return whether the value at ``at`` and the next describe one product: "a red and …", "… striped"."""
    article = next((w for w in reversed(words[:at]) if w.role not in ("lacking", "value", "unknown")), None)
    kinds = [concepts().get(plain(word.text)) for word in words if word.role == "value"]
    patterned = any(found and "patterned" in found.chain for found in kinds)
    return patterned or (article is not None and article.role == "article")


def _reading(words: list[Word], picks: list[tuple[int, ReadWord]], count: ReadWord | None) -> Reading:
    attributes: dict[str, list[str]] = {}
    background = None
    for _, pick in picks:
        if pick.name == "background":
            background = pick.value
        elif pick.value not in attributes.setdefault(pick.name, []):
            attributes[pick.name].append(pick.value)
    read = [pick for _, pick in picks] + ([count] if count else [])
    return Reading(
        attributes=attributes,
        count=int(count.value) if count else None,
        background=background,
        read=read,
        unread=_unread(words),
    )


def _unread(words: list[Word]) -> list[str]:
    """Return the words without effect; neighbours are one phrase."""
    phrases, new = [""], True
    for word in words:
        if word.role in _UNREAD:
            phrases[-1] += ("" if new else " ") + word.text
            new = False
        elif not new:
            phrases.append("")
            new = True
    return [phrase for phrase in phrases if phrase]


def _is_category(choice: Choice) -> bool:
    found = [concepts().get(plain(value)) for value in choice.values]
    return fold(choice.name) in ("category", "type", "kind", "product") or any(
        concept and concept.kind == "category" for concept in found
    )


def _has_colours(attribute: Attribute) -> bool:
    if isinstance(attribute, Choice):
        return all(plain(value) in colour_words() for value in attribute.values)
    return True


def _nearest(choice: Choice, colour: str) -> str | None:
    """Return the value of a choice of colours that looks like ``colour``, or None."""
    far = {
        value: float(delta_e_2000(_lab(colour), _lab(colour_words()[plain(value)])))
        for value in choice.values
    }
    best = min(far, key=lambda value: far[value])
    return best if far[best] <= _ALIKE else None


def _lab(colour: str) -> Floats:
    return to_lab(np.array(levels(colour), np.uint8))
