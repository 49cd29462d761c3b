"""Turn a prompt, in English or Chinese, into values of a model's attributes, a count and a background.

The words are looked up in tables. There is no network and no machine learning.
"""

import unicodedata

from prodgen.errors import ProdgenError
from prodgen.spec.model_config import ModelConfig
from prodgen.spec.order import JobSpec
from prodgen.spec.prompt_rules import Reader
from prodgen.spec.prompt_words import is_han
from prodgen.spec.reading import Reading


def read_prompt(prompt: str, config: ModelConfig, model: str = "this model") -> Reading:
    """Return the reading of a prompt for a model. ``model`` is the model's name in error messages.

    Raises ProdgenError if the prompt asks for a product that the model does not make, if it asks for values
    that exclude each other, or if it has no known word (as in any language but English and Chinese).
    """
    foreign = [c for c in prompt if c.isalpha() and not is_han(c) and "LATIN" not in unicodedata.name(c, "")]
    if foreign:
        word = next(word for word in prompt.split() if foreign[0] in word)
        raise ProdgenError(f"prompts are read in English and Chinese; {word!r} is neither", param="prompt")
    return Reader(config, model).read(prompt)


def read_order(spec: JobSpec, config: ModelConfig) -> tuple[JobSpec, Reading | None]:
    """Return an order with the values of its prompt added, and the reading of the prompt.

    A value in the order itself overrides the prompt's value. Returns an order without a prompt unchanged, and
    None as its reading. Raises ProdgenError like `read_prompt`.
    """
    if spec.prompt is None:
        return spec, None
    reading = read_prompt(spec.prompt, config, spec.model)
    own = config.attributes.parse(spec.attributes)
    changes: dict[str, object] = {"attributes": {**reading.attributes, **own}}
    if reading.count and "count" not in spec.model_fields_set:
        changes["count"] = reading.count
    if reading.background and spec.finish.background is None:
        changes["finish"] = spec.finish.model_copy(update={"background": reading.background})
    return spec.model_copy(update=changes), reading
