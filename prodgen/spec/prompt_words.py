"""Split a prompt into words, and find the meaning of each word for one model."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.colour import parse_colour
from prodgen.spec.colour_words import MODIFIER_WORDS, colour_words
from prodgen.spec.vocabulary import FUNCTIONS, NUMBERS, Concept, concepts

_TRADITIONAL = (
    "紅红藍蓝綠绿黃黄褲裤襯衬條条紋纹兒儿雙双個个兩两長长裝装連连銀银淺浅領领無无與与絲丝純纯復复風风"
    "衛卫開开針针織织圍围頂顶張张動动運运鴨鸭劍剑藥药寶宝護护鎧铠錘锤書书鏈链頭头幣币錢钱環环顆颗"
)
"""Pairs of a traditional character and its simplified form."""
_SIMPLIFY = str.maketrans(_TRADITIONAL[::2], _TRADITIONAL[1::2])
_HAN_DIGITS = "零一二三四五六七八九"
_HAN_NUMBER = r"[一二两三四五六七八九十]+(?=[件条双个顶只张套把枚瓶颗本面柄副])"
_TOKEN = re.compile(
    rf"#(?:[0-9a-f]{{6}}|[0-9a-f]{{3}})\b|{_HAN_NUMBER}|\d+"
    r"|t恤衫?|[^\W\d_\u4e00-\u9fff]+(?:'[^\W\d_]+)?|(?:(?!" + _HAN_NUMBER + r")[\u4e00-\u9fff])+|[^\w\s]"
)
_WORDS, _CHARACTERS = 4, 6
"""The length of the longest known phrase: in English words, and in Chinese characters."""
_TYPO_LETTERS, _LIKENESS = 6, 0.86
"""A misspelt word is read if it has at least this many letters, and at least this similarity (0 to 1)."""


@dataclass
class Word:
    """A word or phrase of a prompt, and its meaning.

    ``role`` is ``value`` (``value`` of the attribute ``name``), ``colour`` (``value`` is #rrggbb),
    ``modifier``, ``number``, ``lacking`` (a word of the kind ``name`` for which the model has no value),
    ``unclear`` (``value`` lists several values that may be meant), ``unknown``, or one of `FUNCTIONS`.
    """

    text: str
    role: str
    name: str = ""
    value: str = ""


class Lexicon:
    """The meanings of words for one model.

    A synonym of a value, in the model's config, goes before a value, and a value before the general lists.
    """

    def __init__(self, schema: AttributeSchema) -> None:
        values = [(a.name, value) for a in schema.attributes for value in getattr(a, "values", ())]
        self._values = [(*known, concepts().get(plain(known[1]))) for known in values]
        meanings = {word: Word("", role) for word, role in FUNCTIONS.items()}
        meanings |= {word: Word("", "number", value=str(number)) for word, number in NUMBERS.items()}
        for modifier, words in MODIFIER_WORDS.items():
            meanings |= {word: Word("", "modifier", value=modifier) for word in words.split()}
        meanings |= {word: Word("", "colour", value=value) for word, value in colour_words().items()}
        meanings |= {word: self._meaning(concept) for word, concept in concepts().items()}
        for name, value in values:
            if plain(value) not in colour_words():
                meanings[plain(value)] = Word("", "value", name, value)
        for choice in schema.choices:
            for value, others in choice.synonyms.items():
                meanings |= {plain(word): Word("", "value", choice.name, value) for word in others}
        self._meanings = meanings

    def _meaning(self, concept: Concept) -> Word:
        """Return the model's value for a concept: of the same concept, or of the nearest broader concept.

        At each level, a single value that is narrower will do too. If several values are narrower, the word
        returned has the role ``unclear``; if there is no value, the role ``lacking``.
        """
        for name in concept.chain:
            near = [known for known in self._values if known[2] and name in known[2].chain]
            same = [known for known in near if known[2] and known[2].chain[0] == name]
            if same or len(near) == 1:
                attribute, value, _ = (same or near)[0]
                return Word("", "value", attribute, value)
            if near:
                return Word("", "unclear", concept.kind, ", ".join(value for _, value, _ in near))
        return Word("", "lacking", concept.kind)

    def named(self, attribute: str | None, text: str) -> str | None:
        """Return the value of ``attribute`` that ``text`` names, or that has the same colour; else None."""
        colours = colour_words()
        same = (
            value
            for name, value, _ in self._values
            if name == attribute
            and (plain(value) == text or colours.get(plain(value)) == colours.get(text, ""))
        )
        return next(same, None)

    def words(self, prompt: str) -> list[Word]:
        """Split a prompt into known phrases and other words. The longest known phrase is taken each time."""
        tokens = _TOKEN.findall(plain(prompt))
        words: list[Word] = []
        at = 0
        while at < len(tokens):
            if is_han(tokens[at][0]) and not re.fullmatch("[一二两三四五六七八九十]+", tokens[at]):
                words += self._split_han(tokens[at])
                at += 1
                continue
            length = next((n for n in range(_WORDS, 1, -1) if self._find(" ".join(tokens[at : at + n]))), 1)
            text = " ".join(tokens[at : at + length])
            words.append(self._read(text))
            at += length
        return words

    def _read(self, text: str) -> Word:
        if text.startswith("#") and len(text) > 1:
            return Word(text, "colour", value=parse_colour(text))
        if text.isdecimal():
            return Word(text, "number", value=text)
        if is_han(text[0]) and text not in self._meanings:
            number = _han_number(text)
            return Word(text, "number", value=str(number)) if number else Word(text, "unknown")
        if not text[0].isalpha() and text not in self._meanings:
            return Word(text, "skip")
        found = self._find(text)
        if not found and len(text) >= _TYPO_LETTERS:
            similar = [word for word in self._meanings if word[0] == text[0]]  # slips rarely begin a word
            for likely in get_close_matches(text, similar, 1, _LIKENESS):
                found = self._meanings[likely]
        return replace(found, text=text) if found else Word(text, "unknown")

    def _find(self, phrase: str) -> Word | None:
        """Return the meaning of a phrase or of its singular, or None if both are unknown."""
        forms = [phrase, phrase.removesuffix("s"), phrase.removesuffix("es")]
        if phrase.endswith("ies"):
            forms.append(f"{phrase[:-3]}y")
        return next((self._meanings[form] for form in forms if form in self._meanings), None)

    def _split_han(self, text: str) -> Iterator[Word]:
        at = unknown = 0
        while at < len(text):
            lengths = range(min(_CHARACTERS, len(text) - at), 0, -1)
            length = next((n for n in lengths if text[at : at + n] in self._meanings), 0)
            if length:
                if unknown < at:
                    yield Word(text[unknown:at], "unknown")
                phrase = text[at : at + length]
                yield replace(self._meanings[phrase], text=phrase)
                unknown = at + length
            at += length or 1
        if unknown < at:
            yield Word(text[unknown:], "unknown")


def plain(text: str) -> str:
    """Return ``text`` in lower case and simplified Chinese, with spaces for hyphens and underscores."""
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_SIMPLIFY).replace("\u2019", "'")
    return re.sub(r"(?<=\w)[-_](?=\w)", " ", folded).strip()


def is_han(character: str) -> bool:
    """Return whether a character is Chinese."""
    return "\u4e00" <= character <= "\u9fff"


def _han_number(text: str) -> int | None:
    """Return the number (below 100) that ``text`` writes in Chinese digits, or None if it writes none."""
    match = re.fullmatch("(?:([二三四五六七八九]?)(十))?([一二三四五六七八九]?)", text.replace("两", "二"))
    if match is None:
        return None
    tens = _HAN_DIGITS.index(match[1] or "一") if match[2] else 0
    return 10 * tens + (_HAN_DIGITS.index(match[3]) if match[3] else 0)
