"""The rules by which the words of a prompt become values of a model's attributes."""

from prodgen.errors import ProdgenError
from prodgen.spec.attributes import Attribute, Choice
from prodgen.spec.colour_words import colour_words, nearest
from prodgen.spec.model_config import ModelConfig
from prodgen.spec.prompt_phrases import check_values, count, mix, neighbours, reading
from prodgen.spec.prompt_words import Lexicon, Word, plain
from prodgen.spec.reading import Reading, ReadWord
from prodgen.spec.spelling import fold
from prodgen.spec.vocabulary import concepts

_SCENES = ("scene", "background", "backdrop")
_GROUNDS = dict.fromkeys(("white", "白", "白色"), "#ffffff") | dict.fromkeys(
    ("black", "黑", "黑色"), "#000000"
)
"""The exact colours of a white and a black ground. The same words for a product mean colours of cloth."""


class Reader:
    """Reads prompts for one model. Each step of `read` changes the roles of some words."""

    def __init__(self, config: ModelConfig, model: str) -> None:
        attributes = config.attributes.attributes
        self._model, self._lexicon = model, Lexicon(config.attributes)
        self._category = next((a for a in config.attributes.choices if _is_category(a)), None)
        self._scene = next((a.name for a in attributes if fold(a.name) in _SCENES), None)
        colours = [a for a in attributes if a.name != self._scene and _has_colours(a)]
        self._colour = colours[0] if colours else None

    def read(self, prompt: str) -> Reading:
        words = mix(self._lexicon.words(prompt))
        self._find_scenes(words)
        self._drop_details(words)
        self._negate(words)
        number = count(words)
        picks = [(at, pick) for at, word in enumerate(words) if (pick := self._pick(word))]
        self._check_products(words, named={pick.name for _, pick in picks})
        check_values(words, picks)
        found = reading(words, picks, number)
        self._check_known(words, found)
        return found

    def _find_scenes(self, words: list[Word]) -> None:
        """Set the role of a background's colour to ``scene``, as in "white background" or "on white"."""
        for at, word in enumerate(words):
            before, after = neighbours(words, at)
            if word.role == "value" and word.name == self._scene and after:
                if after.role == "ground":
                    after.role = "skip"
                elif self._is_product(after) and not (before and before.role == "on"):  # "beach bag"
                    word.role = "detail"
            if word.role != "colour":
                continue
            if after and after.role == "ground":
                word.role, after.role = "scene", "skip"
            elif before and before.role == "ground":
                word.role, before.role = "scene", "skip"
            elif before and before.role == "on" and not (after and self._is_product(after)):
                word.role = "scene"

    def _drop_details(self, words: list[Word]) -> None:
        """Set the role of colours and products after "with", and of all values after "on", to ``detail``.

        They describe a part of the product, or what is beside it.
        """
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
        """Read "no stripes" as the pattern "plain". Set the role of other words after "no" to ``detail``."""
        plain_value = self._lexicon.words("plain")[0]
        for at, word in enumerate(words):
            _, after = neighbours(words, at)
            if word.role != "not" or after is None or after.role not in ("value", "colour", "lacking"):
                continue
            after.text = f"{word.text} {after.text}"
            if plain_value.role == "value" and after.name == plain_value.name:
                after.value = plain_value.value
            else:
                after.role = "detail"

    def _is_product(self, word: Word) -> bool:
        """Return whether a word names a kind of product, even if the model does not make that product."""
        if word.role == "value":
            return self._category is not None and word.name == self._category.name
        return word.role in ("lacking", "unclear") and word.name == "category"

    def _pick(self, word: Word) -> ReadWord | None:
        """Return the attribute and value that a word means, or None.

        Sets the role of a colour for which the model has no attribute or no value to ``detail``.
        """
        if word.role == "value":
            return ReadWord(words=word.text, name=word.name, value=word.value)
        if word.role == "scene":
            ground = self._lexicon.named(self._scene, word.text) or _GROUNDS.get(word.text, word.value)
            return ReadWord(words=word.text, name=self._scene or "background", value=ground)
        if word.role == "colour" and self._colour:
            value = word.value
            if isinstance(self._colour, Choice):
                known = [(colour_words()[plain(name)], name) for name in self._colour.values]
                value = nearest(word.value, known) or ""
            if value:
                return ReadWord(words=word.text, name=self._colour.name, value=value)
        if word.role == "colour":
            word.role = "detail"
        return None

    def _check_products(self, words: list[Word], named: set[str]) -> None:
        """Raise ProdgenError for a product that the model does not make, or a word for several products.

        ``named``: the attributes that other words of the prompt name.
        """
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
        """Raise ProdgenError if no word was read, or if an unknown word may name the product."""
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


def _is_category(choice: Choice) -> bool:
    found = [concepts().get(plain(value)) for value in choice.values]
    return fold(choice.name) in ("category", "type", "kind", "product") or any(
        concept and concept.kind == "category" for concept in found
    )


def _has_colours(attribute: Attribute) -> bool:
    if isinstance(attribute, Choice):
        return all(plain(value) in colour_words() for value in attribute.values)
    return True
