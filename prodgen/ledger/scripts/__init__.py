"""The ledger's atomic steps: one Lua script each, run by the Redis server."""

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

REBUILDING = {"begin", "keep", "clear", "restore", "run_enter", "open"}
"""The steps that may run while the ledger is lost; all others refuse."""

_SHARED = ("common", "lines", "leases", "runs")
_REFUSE = "if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('LOST') end\n"
_TROUBLES: list[tuple[type[RedisError], str]] = [
    (AuthenticationError, "refuses the credentials"),
    (AuthorizationError, "refuses the credentials"),
    (NoPermissionError, "refuses the credentials"),
    (BusyLoadingError, "is still loading its data"),
    (ReadOnlyError, "is a read-only replica"),
    (OutOfMemoryError, "is full"),
    (TimeoutError, "did not answer in time"),
    (redis.ConnectionError, "does not answer"),
]
_REFUSALS = {"NOAUTH": "refuses the credentials", "WRONGPASS": "refuses the credentials"} | {
    "LOADING": "is still loading its data",
    "MISCONF": "cannot write to its disk",
    "BUSY": "is busy with a long script",
}


class LedgerLost(Unavailable):
    """The ledger's epoch is gone: Redis was wiped, or is new, and recovery is owed before all else."""

    def __init__(self) -> None:
        super().__init__("the job ledger is being rebuilt from the store; try again shortly")


class Scripts:
    """Runs the scripts by name; their failures come out as `prodgen.errors.Unavailable`."""

    def __init__(self, client: "redis.Redis", prefix: str) -> None:
        self._client, self._prefix = client, prefix
        self._scripts: dict[str, Script] = {}
        folder = files(__name__)
        texts = {p.name[:-4]: p.read_text() for p in folder.iterdir() if p.name.endswith(".lua")}
        shared = "".join(texts.pop(name) for name in _SHARED)
        for name, text in texts.items():
            refuse = "" if name in REBUILDING else _REFUSE
            self._scripts[name] = client.register_script(refuse + shared + text)

    def run(self, name: str, *arguments: str | float | bytes) -> Any:
        """The script's answer, its strings as ``str``."""
        try:
            answer = self._scripts[name](keys=[f"{self._prefix}epoch"], args=[self._prefix, *arguments])
        except RedisError as error:
            raise translated(error) from error
        return text(answer)

    def read(self, command: str, *parts: str) -> Any:
        """A plain command on the key of these parts."""
        try:
            return text(getattr(self._client, command)(self._prefix + ":".join(parts)))
        except RedisError as error:
            raise translated(error) from error

    def entries(self, stream: str, after: str, block_ms: int = 0) -> list[tuple[str, dict[str, Any]]]:
        """Entries of a stream after one of them ("0" for all that is kept), oldest first, each with its id.

        Waits up to ``block_ms`` for the first one, but never as long as the client's socket timeout.
        """
        name = self._prefix + stream
        patience = self._client.connection_pool.connection_kwargs.get("socket_timeout")
        wait = block_ms if patience is None else min(block_ms, int(patience * 800))
        try:
            found = text(self._client.xread({name: after}, count=500, block=max(1, wait)))
        except RedisError as error:
            raise translated(error) from error
        batches = found.get(name, []) if isinstance(found, dict) else [entries for _, entries in found]
        return [(id, fields) for entries in batches for id, fields in entries]


def translated(error: RedisError) -> Exception:
    """What the callers of the ledger see of a failure: a sentence without addresses or secrets."""
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
    """``answer`` with bytes decoded, whatever the client's own setting."""
    if isinstance(answer, bytes):
        return answer.decode()
    if isinstance(answer, list | tuple | set):
        return [text(part) for part in answer]
    if isinstance(answer, dict):
        return {text(name): text(value) for name, value in answer.items()}
    return answer
