"""Compose files as Compose reads them: YAML, then variables, then one file over the other."""

import re
import shlex
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
GPU_FILE = ROOT / "docker-compose.gpu.yml"

_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<how>:[-?])(?P<word>[^}]*))?\})")


class Unset(Exception):
    """A variable that must be set is not."""


def variables(file: Path) -> dict[str, set[str]]:
    """The variables that a file names, and how: ``:?`` required, ``:-`` with a default."""
    found: dict[str, set[str]] = {}
    for match in _VARIABLE.finditer(file.read_text()):
        if match["name"]:
            found.setdefault(match["name"], set()).add(match["how"] or "")
    return found


def example() -> dict[str, str]:
    """The variables of .env.example, those in comments too, with the values they have there."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    pairs = (re.fullmatch(r"(?:# )?([A-Z0-9_]+)=(\S*)", line) for line in lines)
    return {pair[1]: pair[2] for pair in pairs if pair}


def filled() -> dict[str, str]:
    """A .env as an operator would make it: what is empty in the example has got a value."""
    given = {name: value or f"a-long-value-for-{name.lower()}" for name, value in example().items()}
    return {**given, "FLOWER_BASIC_AUTH": "operator:a-value"}


def read(*files: Path, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The files, merged; with ``env`` their variables are replaced. Raises Unset."""

    def replace(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        value = (env or {}).get(match["name"], "")
        if not value and match["how"] == ":?":
            raise Unset(f"{match['name']}: {match['word']}")
        return value or match["word"] or ""

    merged: dict[str, Any] = {}
    for file in files:
        content = _parsed(file)
        content = _each(content, lambda text: text if env is None else _VARIABLE.sub(replace, text))
        merged = _merge(merged, content)
    return merged


def services(*files: Path) -> dict[str, dict[str, Any]]:
    """The services of the files, with an operator's .env."""
    found: dict[str, dict[str, Any]] = read(*files or (FILE,), env=filled())["services"]
    return found


def command(service: Mapping[str, Any]) -> list[str]:
    """A service's command as the arguments that are executed."""
    written = service["command"]
    return shlex.split(written) if isinstance(written, str) else list(written)


def seconds(duration: str) -> float:
    """``1m30s`` as 90.0."""
    return sum(float(n) * {"s": 1, "m": 60, "h": 3600}[u] for n, u in re.findall(r"(\d+)([smh])", duration))


@cache
def _parsed(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


def _each(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _each(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_each(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def _merge(under: Any, over: Any) -> Any:
    """Mappings merge, sequences are joined, and of anything else the later wins."""
    if isinstance(under, dict) and isinstance(over, dict):
        both = {key: _merge(under[key], over[key]) for key in under.keys() & over.keys()}
        return {**under, **over, **both}
    return [*under, *over] if isinstance(under, list) and isinstance(over, list) else over
