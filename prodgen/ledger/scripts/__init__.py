"""Calls the Lua scripts of the ledger. Each script is one atomic change, made by the Redis server."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import redis
from redis.commands.core import Script
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,
)

from prodgen.errors import Unavailable

REBUILDING = {
    "recovery_begin",
    "recovery_renew",
    "recovery_clear",
    "recovery_end",
    "restore",
    "count",
    "run_add",
    "rate",
}
"""The names of the scripts that work while the ledger is lost. Every other script then answers LOST."""

_SHARED = ("common", "lines", "leases", "runs", "tenants")
_REFUSE = "if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('LOST') end\n"
_TROUBLES: list[tuple[type[RedisError] | tuple[type[RedisError], ...], str]] = [
    ((AuthenticationError, AuthorizationError, NoPermissionError), "refuses the credentials"),
    (BusyLoadingError, "is still loading its data"),
    (ReadOnlyError, "is a read-only replica"),
    (OutOfMemoryError, "is full"),
    (TimeoutError, "did not answer in time"),
    (redis.ConnectionError, "does not answer"),
]
_REFUSALS = {"MISCONF": "cannot write to its disk", "BUSY": "is busy with a long script"}


class LedgerLost(Unavailable):
    """The ledger has no epoch, because Redis was wiped or is new. A recovery rebuilds it from the store."""

    def __init__(self) -> None:
        super().__init__("the job ledger is being rebuilt from the store; try again shortly")


class Scripts:
    """Calls the Lua scripts by their names. Raises `prodgen.errors.Unavailable` for failures of Redis.

    ``prefix`` begins every key in Redis.
    """

    def __init__(self, client: "redis.Redis", prefix: str) -> None:
        self._client, self._prefix = client, prefix
        self._scripts: dict[str, Script] = {}
        folder = files(__name__)
        texts = {p.name[:-4]: p.read_text() for p in folder.iterdir() if p.name.endswith(".lua")}
        shared = "".join(texts.pop(name) for name in _SHARED)
        for name, text in texts.items():
            refuse = "" if name in REBUILDING else _REFUSE
            self._scripts[name] = client.register_script(refuse + shared + text)

    def call(self, name: str, *arguments: str | float | bytes) -> Any:
        """Call a script and return its answer, with bytes decoded to ``str``."""
        try:
            answer = self._scripts[name](keys=[f"{self._prefix}epoch"], args=[self._prefix, *arguments])
        except RedisError as error:
            raise translated(error) from error
        return text(answer)

    def read(self, command: str, *parts: str) -> Any:
        """Send a Redis command for one key, and return its answer, with bytes decoded to ``str``.

        The key is the prefix and ``parts``, with ":" between the parts.
        """
        try:
            return text(getattr(self._client, command)(self._prefix + ":".join(parts)))
        except RedisError as error:
            raise translated(error) from error

    def entries(self, stream: str, after: str) -> list[tuple[str, dict[str, Any]]]:
        """Return up to 500 entries (id, fields) of a stream, oldest first.

        Returns the entries after the id ``after``; "0": from the first entry on.
        """
        return self._read_streams({stream: after}).get(stream, [])

    def newest(self, after: Mapping[str, str]) -> dict[str, str]:
        """Return the newest id that was read of each stream with new entries.

        ``after``: the last known id by stream. Reads at most 500 entries of each stream.
        """
        return {stream: entries[-1][0] for stream, entries in self._read_streams(after).items()}

    def _read_streams(self, after: Mapping[str, str]) -> dict[str, list[tuple[str, dict[str, Any]]]]:
        """Return up to 500 entries (id, fields), by stream, after the stream's id in ``after``.

        Leaves out streams without such entries.
        """
        try:
            found = text(
                self._client.xread({self._prefix + name: id for name, id in after.items()}, count=500)
            )
        except RedisError as error:
            raise translated(error) from error
        named = found.items() if isinstance(found, dict) else [(name, [batch]) for name, batch in found]
        streams = {
            name.removeprefix(self._prefix): [(id, fields) for batch in batches for id, fields in batch]
            for name, batches in named
        }
        return {name: entries for name, entries in streams.items() if entries}


def translated(error: RedisError) -> Exception:
    """Return the error to raise for a failure of Redis. Its message has no addresses or secrets.

    Returns ``error`` itself for a failure that is not known here.
    """
    code = str(error).split(" ", 1)[0]
    if isinstance(error, ResponseError) and "LOST" in code:
        return LedgerLost()
    for kind, trouble in _TROUBLES:
        if isinstance(error, kind):
            return Unavailable(f"the job ledger (Redis) {trouble}")
    if code in _REFUSALS:
        return Unavailable(f"the job ledger (Redis) {_REFUSALS[code]}")
    return error


def text(answer: Any) -> Any:
    """Return an answer of Redis with all bytes in it, also in lists and dicts, decoded to ``str``."""
    if isinstance(answer, bytes):
        return answer.decode()
    if isinstance(answer, list | tuple | set):
        return [text(part) for part in answer]
    if isinstance(answer, dict):
        return {text(name): text(value) for name, value in answer.items()}
    return answer


def record(flat: list[str]) -> dict[str, Any]:
    """Return the fields of a hash. ``flat``: the answer of a script: name, value, name, value …"""
    return dict(zip(flat[::2], flat[1::2], strict=True))
