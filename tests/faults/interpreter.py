"""A Redis within the process: runs the scripts of the ledger by LuaJIT, on the virtual clock.

A call of it costs no switch to another process. A test compares it with a real Redis.
"""

import hashlib
from pathlib import Path
from typing import Any

import redis
from lupa import luajit21
from redis.utils import str_if_bytes

_FOLDER, _PARTS = Path(__file__).with_name("commands"), ("hashes", "sorted_sets", "other", "run")


class Interpreter:
    """Takes the commands of all simulated processes, as `tests.faults.server.Server` does."""

    def __init__(self) -> None:
        lua = luajit21.LuaRuntime(encoding=None, unpack_returned_tuples=True)
        self._load = lua.eval(b"loadstring")
        source = b"".join((_FOLDER / f"{part}.lua").read_bytes() for part in _PARTS)
        self._set_clock, self._run, self._call = lua.execute(source)
        lua.globals()[b"redis"][b"sha1hex"] = lambda text: hashlib.sha1(text).hexdigest().encode()
        self._type = luajit21.lua_type
        self._scripts: dict[str, Any] = {}
        self._callbacks = redis.Redis(protocol=2).response_callbacks

    def load(self, script: str) -> str:
        """Load a script. Returns its name."""
        name = hashlib.sha1(script.encode()).hexdigest()
        self._scripts[name] = self._load(script.encode())
        assert self._scripts[name], "the script has an error"
        return name

    def send(self, clock: float, *command: Any, **options: Any) -> Any:
        """Send a command at the virtual time ``clock``."""
        options.pop("keys", None)  # for caches of the client
        name, words = command[0], [_encode(word) for word in command[1:]]
        self._set_clock(round(clock * 1e6))
        if name == "EVALSHA":
            script, count, *rest = words
            answer = self._run(self._scripts[script.decode()], int(count), *rest)
            return self._python(answer)
        answer = self._python(self._call(name.encode(), *words))
        callback = self._callbacks.get(name)
        return callback(answer, **options) if callback else answer

    def _python(self, answer: Any) -> Any:
        """Return an answer as Redis converts what a script returns."""
        if answer is None or answer is False:
            return None
        if answer is True:
            return 1
        if isinstance(answer, float):
            return int(answer)
        if self._type(answer) != "table":
            return answer
        if error := answer[b"err"]:
            raise redis.ResponseError(str_if_bytes(error))
        if (fine := answer[b"ok"]) is not None:
            return fine
        found, at = [], 1
        while (one := answer[at]) is not None:
            found.append(self._python(one))
            at += 1
        return found


def _encode(word: Any) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode()
