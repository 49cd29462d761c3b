"""Turn pydantic's validation errors into one sentence for people."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from prodgen.errors import ProdgenError

Details = Mapping[str, Any]
"""One error, as pydantic's ``ValidationError.errors()`` lists it."""

_PLACES = {"body", "query", "path", "header", "cookie"}

_SENTENCES: dict[str, Callable[[str, Details], str]] = {
    "missing": lambda field, _: f"{field} is missing",
    "extra_forbidden": lambda field, _: f"there is no field {field}",
    "greater_than_equal": lambda field, e: f"{field} must be at least {e['ctx']['ge']}, not {_short(e)}",
    "greater_than": lambda field, e: f"{field} must be greater than {e['ctx']['gt']}, not {_short(e)}",
    "less_than": lambda field, e: f"{field} must be less than {e['ctx']['lt']}, not {_short(e)}",
    "less_than_equal": lambda field, e: f"{field} must be at most {e['ctx']['le']}, not {_short(e)}",
    "literal_error": lambda field, e: f"{field} must be {e['ctx']['expected']}, not {_short(e)}",
    "int_parsing": lambda field, e: f"{field} must be a whole number, not {_short(e)}",
    "int_type": lambda field, e: f"{field} must be a whole number, not {_short(e)}",
    "int_from_float": lambda field, e: f"{field} must be a whole number, not {_short(e)}",
    "int_parsing_size": lambda field, _: f"{field} is too large",
    "float_parsing": lambda field, e: f"{field} must be a number, not {_short(e)}",
    "float_type": lambda field, e: f"{field} must be a number, not {_short(e)}",
    "finite_number": lambda field, e: f"{field} must be a finite number, not {_short(e)}",
    "string_type": lambda field, e: f"{field} must be text, not {_short(e)}",
    "string_too_short": lambda field, _: f"{field} is empty",
    "string_too_long": lambda field, e: f"{field} is longer than {e['ctx']['max_length']} characters",
    "too_short": lambda field, _: f"{field} is empty",
    "model_type": lambda field, e: f"{field} must be an object, not {_short(e)}",
    "dict_type": lambda field, e: f"{field} must be an object, not {_short(e)}",
    "value_error": lambda field, e: f"{field}: {e['ctx']['error']}" if e["loc"] else str(e["ctx"]["error"]),
    "json_invalid": lambda field, e: f"{field} is not JSON: {e['ctx']['error']}",
}


def explain(error: ValidationError) -> ProdgenError:
    """Return the first error of ``error`` as one sentence, with the field at fault as ``param``."""
    return explain_errors(error.errors())


def explain_errors(errors: Sequence[Details]) -> ProdgenError:
    """Return the first of ``errors``, a list as pydantic and FastAPI make it, as `explain` does."""
    first = errors[0]
    param = _field(first)
    field = param or "the request"
    write = _SENTENCES.get(first["type"])
    sentence = write(field, first) if write else f"{field}: {_lower(first['msg'])}"
    return ProdgenError(sentence, param=param)


def _field(error: Details) -> str | None:
    """Return the path of the field: ``items.1.count`` for ("body", "items", 0, "count")."""
    if error["type"] == "json_invalid":
        return None
    parts = []
    for part in error["loc"]:
        if isinstance(part, int):
            parts.append(str(part + 1))
        elif part not in _PLACES and not part.startswith(("constrained-", "list[", "function-")):
            parts.append(part)
    return ".".join(parts) or None


def _short(error: Details) -> str:
    text = repr(error["input"])
    return text if len(text) <= 60 else f"{text[:57]}…"


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
