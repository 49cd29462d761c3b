"""Steps of reading a prompt that need only the roles of its words: modified colours, counts, conflicts."""

from itertools import groupby

from prodgen.errors import ProdgenError
from prodgen.spec.colour_words import modify
from prodgen.spec.prompt_words import Word, is_han, plain
from prodgen.spec.reading import Reading, ReadWord
from prodgen.spec.vocabulary import concepts

MOST_COUNT = 1000
"""The greatest number in a prompt that means a count of images. Larger numbers are ignored."""
_UNITS = ("px", "pixels", "cm", "mm", "inch", "inches", "%", "k", "p", "year", "years", "yr")
_UNREAD = ("unknown", "lacking", "unclear", "detail", "modifier", "ground")


def mix(words: list[Word]) -> list[Word]:
    """Return the words; each colour with the modifiers before it ("dark green") becomes a single word."""
    mixed: list[Word] = []
    for word in words:
        while word.role == "colour" and mixed and mixed[-1].role == "modifier":
            modifier = mixed.pop()
            space = "" if is_han(word.text[0]) else " "
            text, value = f"{modifier.text}{space}{word.text}", modify(word.value, modifier.value)
            word = Word(text, "colour", value=value)
        mixed.append(word)
    return mixed


def neighbours(words: list[Word], at: int) -> tuple[Word | None, Word | None]:
    """Return the nearest words before and after the word ``at`` that are neither articles nor meaningless.

    Returns None in place of a word that does not exist.
    """
    empty = ("skip", "article")
    before = next((word for word in reversed(words[:at]) if word.role not in empty), None)
    return before, next((word for word in words[at + 1 :] if word.role not in empty), None)


def count(words: list[Word]) -> ReadWord | None:
    """Return the number of images that a prompt asks for, or None.

    Sets the role of other numbers, such as sizes, to ``detail``. Raises ProdgenError for two unequal counts.
    """
    found: ReadWord | None = None
    for at, word in enumerate(words):
        if word.role != "number":
            continue
        before, _ = neighbours(words, at)
        unit = words[at + 1].text if words[at + 1 :] else ""
        number = int(word.value[:9])
        sized = before and before.role == "size"
        if sized or not 0 < number <= MOST_COUNT or unit in _UNITS:
            word.role = "detail"
        elif found and at and words[at - 1].role == "number":  # two dozen
            found = ReadWord(
                words=f"{found.words} {word.text}", name="count", value=str(int(found.value) * number)
            )
        elif found and int(found.value) != number:
            raise ProdgenError(f"the prompt names two counts, {found.words} and {word.text}", param="prompt")
        else:
            found = ReadWord(words=word.text, name="count", value=str(number))
    return found


def check_values(words: list[Word], picks: list[tuple[int, ReadWord]]) -> None:
    """Raise ProdgenError if two values of an attribute exclude each other, or belong to two products.

    ``picks``: pairs of a word's position and its reading. Values joined by "or" do not exclude each other.
    """
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
    """Return whether "and" after the value ``at`` joins two values of one product, not of two products.

    True after an article ("a red and blue shirt") and if a value is a pattern ("red and white striped").
    """
    article = next((w for w in reversed(words[:at]) if w.role not in ("lacking", "value", "unknown")), None)
    kinds = [concepts().get(plain(word.text)) for word in words if word.role == "value"]
    patterned = any(found and "patterned" in found.chain for found in kinds)
    return patterned or (article is not None and article.role == "article")


def reading(words: list[Word], picks: list[tuple[int, ReadWord]], number: ReadWord | None) -> Reading:
    attributes: dict[str, list[str]] = {}
    background = None
    for _, pick in picks:
        if pick.name == "background":
            background = pick.value
        elif pick.value not in attributes.setdefault(pick.name, []):
            attributes[pick.name].append(pick.value)
    read = [pick for _, pick in picks] + ([number] if number else [])
    return Reading(
        attributes=attributes,
        count=int(number.value) if number else None,
        background=background,
        read=read,
        unread=_unread(words),
    )


def _unread(words: list[Word]) -> list[str]:
    """Return the words that have no effect. Adjacent words are joined to one phrase."""
    runs = groupby(words, lambda word: word.role in _UNREAD)
    return [" ".join(word.text for word in run) for unread, run in runs if unread]
