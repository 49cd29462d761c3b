-- list(set, before, limit): a page of a sorted set's names, highest first, after `before` ('' for the first page).
local _, set, before, limit = unpack(ARGV)
local start = 0
if before ~= '' then
  local rank = redis.call('ZREVRANK', key(set), before)
  if not rank then return {} end
  start = rank + 1
end
return redis.call('ZREVRANGE', key(set), start, start + limit - 1)
