"""Turn pydantic's validation errors into one sentence for people."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from prodgen.errors import ProdgenError

Model = TypeVar("Model", bound=BaseModel)
Details = Mapping[str, Any]
"""One error, as pydantic's ``ValidationError.errors()`` lists it."""

_PLACES = {"body", "query", "path", "header", "cookie"}

_SENTENCES = {
    "missing": "{field} is missing",
    "extra_forbidden": "there is no field {field}",
    "greater_than_equal": "{field} must be at least {ge}, not {input}",
    "greater_than": "{field} must be greater than {gt}, not {input}",
    "less_than": "{field} must be less than {lt}, not {input}",
    "less_than_equal": "{field} must be at most {le}, not {input}",
    "literal_error": "{field} must be {expected}, not {input}",
    "int_parsing": "{field} must be a whole number, not {input}",
    "int_type": "{field} must be a whole number, not {input}",
    "int_from_float": "{field} must be a whole number, not {input}",
    "int_parsing_size": "{field} is too large",
    "float_parsing": "{field} must be a number, not {input}",
    "float_type": "{field} must be a number, not {input}",
    "finite_number": "{field} must be a finite number, not {input}",
    "string_type": "{field} must be text, not {input}",
    "string_too_short": "{field} is empty",
    "string_too_long": "{field} is longer than {max_length} characters",
    "too_short": "{field} is empty",
    "model_type": "{field} must be an object, not {input}",
    "dict_type": "{field} must be an object, not {input}",
    "value_error": "{field}: {error}",
    "json_invalid": "{field} is not JSON: {error}",
}


def parse_json(kind: type[Model], data: bytes, failure: str) -> Model:
    """Parse JSON as a pydantic model; raises ProdgenError, whose message begins with ``failure``."""
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise ProdgenError(f"{failure}: {explain(error, 'it')}") from None


def explain(error: ValidationError, whole: str = "the request") -> ProdgenError:
    """Return a ProdgenError with a sentence about the first fault in ``error``, and the field as ``param``.

    If the fault belongs to no single field, the sentence names ``whole`` instead, and ``param`` is None.
    """
    return explain_errors(error.errors(), whole)


def explain_errors(errors: Sequence[Details], whole: str = "the request") -> ProdgenError:
    """Return a ProdgenError for the first of ``errors``, a list by pydantic or FastAPI; see `explain`."""
    first = errors[0]
    param = _field(first)
    if first["type"] == "value_error" and not first["loc"]:
        return ProdgenError(str(first["ctx"]["error"]))
    sentence = _SENTENCES.get(first["type"], "{field}: {message}")
    message = first["msg"][:1].lower() + first["msg"][1:]
    words = {"field": param or whole, "input": _short(first.get("input")), "message": message}
    return ProdgenError(sentence.format_map({**first.get("ctx", {}), **words}), param=param)


def _field(error: Details) -> str | None:
    """Return the path of the faulty field, or None: ``items.1.count`` for ("body", "items", 0, "count")."""
    if error["type"] == "json_invalid":
        return None
    parts = []
    for part in error["loc"]:
        if isinstance(part, int):
            parts.append(str(part + 1))
        elif part not in _PLACES and not part.startswith(("constrained-", "list[", "function-")):
            parts.append(part)
    return ".".join(parts) or None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
