"""How a prompt was read: the values that it asks for, and the words that were not read."""

from pydantic import BaseModel, ConfigDict, computed_field

from prodgen.spec.spelling import fold


class ReadWord(BaseModel):
    """Words of a prompt and their meaning: ``name`` is an attribute, ``count`` or ``background``."""

    model_config = ConfigDict(frozen=True)

    words: str
    name: str
    value: str


class Reading(BaseModel):
    """The attributes, count and background that a prompt asks for, and which words are read or not."""

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
        """One sentence for people that says how the prompt was read."""
        found = ", ".join(
            f"{word.name} {word.value}" + (f" ({word.words})" if fold(word.words) != fold(word.value) else "")
            for word in self.read
        )
        return f"read: {found}" + (f"; not read: {', '.join(self.unread)}" if self.unread else "")
