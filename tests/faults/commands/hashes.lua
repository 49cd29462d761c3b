-- The commands of Redis that the ledger uses, on tables of Lua. Hashes and sets keep the order of their entries,
-- as small ones of Redis do. All arguments are strings.
local data, expires, soonest, clock = {}, {}, math.huge, 0
local commands = {}

local function forget(name)
  data[name], expires[name] = nil, nil
end

-- Deletes the keys whose time is over.
local function purge()
  if clock < soonest then return end
  soonest = math.huge
  for name, at in pairs(expires) do
    if at <= clock then forget(name) else soonest = math.min(soonest, at) end
  end
end

local function expire(name, at)
  expires[name], soonest = at, math.min(soonest, at)
end

local function slice(row, start, stop)
  start, stop = tonumber(start), tonumber(stop)
  if start < 0 then start = math.max(0, #row + start) end
  if stop < 0 then stop = #row + stop end
  local answer = {}
  for i = start + 1, math.min(stop + 1, #row) do answer[#answer + 1] = row[i] end
  return answer
end

local function reversed(row)
  local answer = {}
  for i = #row, 1, -1 do answer[#answer + 1] = row[i] end
  return answer
end

local function number(value) return string.format('%.17g', value) end

-- Hashes and sets: `values` by name, and `order`, the names in the order of their entry.
local function entries(name, make)
  local found = data[name]
  if not found and make then
    found = {values = {}, order = {}}
    data[name] = found
  end
  return found or {values = {}, order = {}}
end

local function put(found, field, value)
  local new = found.values[field] == nil
  found.values[field] = value
  if new then found.order[#found.order + 1] = field end
  return new and 1 or 0
end

local function remove(name, fields)
  local found, removed = entries(name), 0
  for _, field in ipairs(fields) do
    if found.values[field] ~= nil then
      found.values[field], removed = nil, removed + 1
      for i, other in ipairs(found.order) do
        if other == field then table.remove(found.order, i) break end
      end
    end
  end
  if #found.order == 0 then forget(name) end
  return removed
end

function commands.HSET(name, ...)
  local found, pairs_, added = entries(name, true), {...}, 0
  for i = 1, #pairs_, 2 do added = added + put(found, pairs_[i], pairs_[i + 1]) end
  return added
end
function commands.HSETNX(name, field, value)
  return entries(name).values[field] == nil and put(entries(name, true), field, value) or 0
end
function commands.HGET(name, field) return entries(name).values[field] or false end
function commands.HMGET(name, ...)
  local found, answer = entries(name).values, {...}
  for i, field in ipairs(answer) do answer[i] = found[field] or false end
  return answer
end
function commands.HGETALL(name)
  local found, answer = entries(name), {}
  for _, field in ipairs(found.order) do
    answer[#answer + 1], answer[#answer + 2] = field, found.values[field]
  end
  return answer
end
function commands.HKEYS(name) return {unpack(entries(name).order)} end
function commands.HLEN(name) return #entries(name).order end
function commands.HEXISTS(name, field) return entries(name).values[field] ~= nil and 1 or 0 end
function commands.HDEL(name, ...) return remove(name, {...}) end
function commands.HINCRBY(name, field, by)
  local found = entries(name, true)
  local sum = (tonumber(found.values[field]) or 0) + tonumber(by)
  put(found, field, string.format('%.0f', sum))
  return sum
end

function commands.SADD(name, ...)
  local found, added = entries(name, true), 0
  for _, member in ipairs({...}) do added = added + put(found, member, true) end
  return added
end
function commands.SREM(name, ...) return remove(name, {...}) end
function commands.SMEMBERS(name)
  local answer, integers = {unpack(entries(name).order)}, true
  for _, member in ipairs(answer) do integers = integers and string.find(member, '^%d+$') end
  if integers then table.sort(answer, function(a, b) return tonumber(a) < tonumber(b) end) end
  return answer
end
function commands.SISMEMBER(name, member) return entries(name).values[member] and 1 or 0 end
function commands.SCARD(name) return #entries(name).order end
