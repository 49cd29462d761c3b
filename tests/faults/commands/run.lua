-- All kinds.
function commands.EXISTS(name) return data[name] ~= nil and 1 or 0 end
function commands.DEL(...)
  local removed = 0
  for _, name in ipairs({...}) do
    removed = removed + (data[name] ~= nil and 1 or 0)
    forget(name)
  end
  return removed
end
commands.UNLINK = commands.DEL
function commands.EXPIRE(name, seconds)
  if data[name] == nil then return 0 end
  expire(name, clock + seconds * 1000000)
  return 1
end
function commands.PEXPIRE(name, milliseconds) return commands.EXPIRE(name, milliseconds / 1000) end
function commands.KEYS(pattern)
  local answer, prefix = {}, string.sub(pattern, 1, -2)
  for name in pairs(data) do
    if string.sub(name, 1, #prefix) == prefix then answer[#answer + 1] = name end
  end
  table.sort(answer)
  return answer
end
function commands.SCAN(_, _, pattern) return {'0', commands.KEYS(pattern)} end
function commands.TIME()
  return {string.format('%.0f', math.floor(clock / 1000000)), string.format('%.0f', clock % 1000000)}
end
function commands.FLUSHDB()
  data, expires, soonest = {}, {}, math.huge
  return {ok = 'OK'}
end

local function call(command, ...)
  local words = {...}
  for i, word in ipairs(words) do
    if type(word) == 'number' then words[i] = number(word) end
  end
  return commands[string.upper(command)](unpack(words))
end

-- No command here fails. One that is not known is an error by `pcall` too.
redis = {call = call, pcall = call, error_reply = function(message) return {err = message} end}

local function set_clock(at)
  clock = at
  purge()
end

local function run(script, keys, ...)
  KEYS, ARGV = {}, {}
  for i = 1, select('#', ...) do
    local word = select(i, ...)
    if i <= keys then KEYS[i] = word else ARGV[i - keys] = word end
  end
  return script()
end

return set_clock, run, call
