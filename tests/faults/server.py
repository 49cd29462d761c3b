"""A real Redis on the virtual clock of a simulation."""

from typing import Any

import redis

PROLOGUE = """
local server, clock = redis, tonumber(table.remove(ARGV))
for _, name in ipairs(server.call('ZRANGEBYSCORE', '~expires', '-inf', clock)) do
  server.call('DEL', name)
  server.call('ZREM', '~expires', name)
end
local redis = setmetatable({}, {__index = server})
function redis.call(command, name, ...)
  if command == 'TIME' then
    return {string.format('%.0f', math.floor(clock / 1000000)), string.format('%.0f', clock % 1000000)}
  elseif command == 'EXPIRE' then
    return server.call('ZADD', '~expires', clock + (...) * 1000000, name)
  elseif command == 'SET' then
    local rest, expires = {...}, nil
    for i = #rest - 1, 2, -1 do
      if rest[i] == 'EX' or rest[i] == 'PX' then
        expires = clock + table.remove(rest, i + 1) * (table.remove(rest, i) == 'EX' and 1000000 or 1000)
      end
    end
    local done = server.call('SET', name, unpack(rest))
    if done and expires then server.call('ZADD', '~expires', expires, name) end
    if done and not expires then server.call('ZREM', '~expires', name) end
    return done
  end
  return server.call(command, name, ...)
end
"""
"""Precedes every script: takes the time from the last argument, and lets keys expire by that time."""
_SET = "return redis.call('SET', unpack(ARGV))"


class Server:
    """One connection to a real Redis, through which all simulated processes send their commands."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url, single_connection_client=True)
        self._scripts: dict[str, str] = {}
        self._set = self.load(_SET)

    def load(self, script: str) -> str:
        """Load a script that takes the time as an additional last argument. Returns its name."""
        return str(self._client.script_load(PROLOGUE + script))

    def send(self, clock: float, *command: Any, **options: Any) -> Any:
        """Send a command at the virtual time ``clock``."""
        stamp = f"{clock * 1_000_000:.0f}"
        if command[0] == "SET":
            return self._send("EVALSHA", self._set, 0, *command[1:], stamp) is not None
        return self._send(*command, *([stamp] if command[0] == "EVALSHA" else []), **options)

    def _send(self, *command: Any, **options: Any) -> Any:
        connection = self._client.connection
        connection.send_command(*command)
        return self._client.parse_response(connection, command[0], **options)
