-- Sorted sets: `scores` by member, and `row`, the members by score and name.
local function sorted(name, make)
  local found = data[name]
  if not found and make then
    found = {scores = {}, row = {}}
    data[name] = found
  end
  return found or {scores = {}, row = {}}
end

-- The place of a member in the row, or where it would be.
local function place(found, score, member)
  local low, high = 1, #found.row + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    local other = found.row[middle]
    local theirs = found.scores[other]
    if theirs < score or (theirs == score and other < member) then low = middle + 1 else high = middle end
  end
  return low
end

local function score_of(text) return text == '+inf' and math.huge or text == '-inf' and -math.huge or tonumber(text) end

local function take(name, found, member)
  local score = found.scores[member]
  if not score then return 0 end
  table.remove(found.row, place(found, score, member))
  found.scores[member] = nil
  if #found.row == 0 then forget(name) end
  return 1
end

local function rank(name, score, member)
  local found, new = sorted(name, true), 1
  local before = found.scores[member]
  if before then
    new = 0
    table.remove(found.row, place(found, before, member))
    found.scores[member] = nil
  end
  table.insert(found.row, place(found, score, member), member)
  found.scores[member] = score
  return new
end

-- The members with scores between two bounds, as Redis writes them.
local function between(name, least, most)
  local found, answer = sorted(name), {}
  local open_below, open_above = string.sub(least, 1, 1) == '(', string.sub(most, 1, 1) == '('
  local low = score_of(open_below and string.sub(least, 2) or least)
  local high = score_of(open_above and string.sub(most, 2) or most)
  for _, member in ipairs(found.row) do
    local score = found.scores[member]
    if score > high or (open_above and score == high) then break end
    if score > low or (score == low and not open_below) then answer[#answer + 1] = member end
  end
  return answer
end

local function with_scores(name, members, wanted)
  if not wanted then return members end
  local answer, scores = {}, sorted(name).scores
  for _, member in ipairs(members) do
    answer[#answer + 1], answer[#answer + 2] = member, number(scores[member])
  end
  return answer
end

function commands.ZADD(name, ...)
  local pairs_, added = {...}, 0
  for i = 1, #pairs_, 2 do added = added + rank(name, tonumber(pairs_[i]), pairs_[i + 1]) end
  return added
end
function commands.ZINCRBY(name, by, member)
  local score = (sorted(name).scores[member] or 0) + tonumber(by)
  rank(name, score, member)
  return number(score)
end
function commands.ZREM(name, ...)
  local found, removed = sorted(name), 0
  for _, member in ipairs({...}) do removed = removed + take(name, found, member) end
  return removed
end
function commands.ZCARD(name) return #sorted(name).row end
function commands.ZSCORE(name, member)
  local score = sorted(name).scores[member]
  return score and number(score) or false
end
function commands.ZCOUNT(name, least, most) return #between(name, least, most) end
function commands.ZRANGE(name, start, stop, scores)
  return with_scores(name, slice(sorted(name).row, start, stop), scores)
end
function commands.ZREVRANGE(name, start, stop, scores)
  return with_scores(name, slice(reversed(sorted(name).row), start, stop), scores)
end
function commands.ZREVRANK(name, member)
  local found = sorted(name)
  local score = found.scores[member]
  return score and #found.row - place(found, score, member) or false
end
function commands.ZRANGEBYSCORE(name, least, most, limit, offset, count)
  local answer = between(name, least, most)
  return limit and slice(answer, offset, offset + count - 1) or answer
end
function commands.ZREVRANGEBYSCORE(name, most, least) return reversed(between(name, least, most)) end
function commands.ZREMRANGEBYSCORE(name, least, most)
  return commands.ZREM(name, unpack(between(name, least, most)))
end
