-- Strings and bitmaps.
function commands.GET(name) return data[name] or false end
function commands.SET(name, value, ...)
  local options, at = {...}, nil
  for i, option in ipairs(options) do
    if option == 'NX' and data[name] or option == 'XX' and not data[name] then return false end
    if option == 'EX' then at = clock + options[i + 1] * 1000000 end
    if option == 'PX' then at = clock + options[i + 1] * 1000 end
  end
  data[name], expires[name] = value, nil
  if at then expire(name, at) end
  return {ok = 'OK'}
end
local function write_bit(name, at, bit)
  local text, byte = data[name] or '', math.floor(at / 8)
  if #text <= byte then text = text .. string.rep('\0', byte + 1 - #text) end
  local value, weight = string.byte(text, byte + 1), 2 ^ (7 - at % 8)
  local before = math.floor(value / weight) % 2
  value = value + (bit - before) * weight
  data[name] = string.sub(text, 1, byte) .. string.char(value) .. string.sub(text, byte + 2)
  return before
end
function commands.SETBIT(name, at, bit) return write_bit(name, tonumber(at), tonumber(bit)) end
function commands.BITFIELD(name, ...)
  local words, answer = {...}, {}
  for i = 1, #words, 4 do
    answer[#answer + 1] = write_bit(name, tonumber(words[i + 2]), tonumber(words[i + 3]))
  end
  return answer
end
function commands.BITPOS(name, bit, start)
  local text, wanted = data[name] or '', tonumber(bit)
  for at = tonumber(start or 0), #text * 8 - 1 do
    if math.floor(string.byte(text, math.floor(at / 8) + 1) / 2 ^ (7 - at % 8)) % 2 == wanted then return at end
  end
  return (wanted == 0 and not start) and #text * 8 or -1
end

-- Lists: the left end is the first place.
function commands.LPUSH(name, ...)
  local row = data[name] or {}
  for _, value in ipairs({...}) do table.insert(row, 1, value) end
  data[name] = row
  return #row
end
function commands.RPUSH(name, ...)
  local row = data[name] or {}
  for _, value in ipairs({...}) do row[#row + 1] = value end
  data[name] = row
  return #row
end
local function pop(name, at)
  local row = data[name]
  if not row then return false end
  local value = table.remove(row, at or #row)
  if #row == 0 then forget(name) end
  return value
end
function commands.LPOP(name) return pop(name, 1) end
function commands.RPOPLPUSH(name, other)
  local value = pop(name)
  if value then commands.LPUSH(other, value) end
  return value
end
function commands.LLEN(name) return #(data[name] or {}) end
function commands.LINDEX(name, at) return slice(data[name] or {}, at, at)[1] or false end
function commands.LRANGE(name, start, stop) return slice(data[name] or {}, start, stop) end
function commands.LTRIM(name, start, stop)
  local row = slice(data[name] or {}, start, stop)
  if #row > 0 then data[name] = row else forget(name) end
  return {ok = 'OK'}
end
function commands.LPOS(name, value)
  for i, other in ipairs(data[name] or {}) do
    if other == value then return i - 1 end
  end
  return false
end

-- Streams. Their lengths are not limited.
local ids = 0
function commands.XADD(name, _, _, _, _, ...)
  local row, id = data[name] or {}, nil
  ids = ids + 1
  id = string.format('%.0f-%d', math.floor(clock / 1000), ids)
  row[#row + 1] = {id, {...}}
  data[name] = row
  return id
end
function commands.XREVRANGE(name, _, _, _, count)
  return slice(reversed(data[name] or {}), 0, (count or 0) - 1)
end
function commands.LREM(name, _, value)
  local row, before = data[name] or {}, commands.LLEN(name)
  for i = #row, 1, -1 do
    if row[i] == value then table.remove(row, i) end
  end
  if #row == 0 then forget(name) end
  return before - #row
end

-- Nobody listens within a simulation.
function commands.PUBLISH() return 0 end
