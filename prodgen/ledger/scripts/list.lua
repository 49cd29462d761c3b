-- list(set, before, limit): a page of a sorted set's names, highest first, after `before` ('' for the first page).
-- `before` may be `name` or `name-score`. With its score, the list continues even if the name is gone.
local _, set, before, limit = unpack(ARGV)
local start = 0
if before ~= '' then
  local name, score = string.match(before, '^([^-]*)-?(.*)$')
  local rank = redis.call('ZREVRANK', key(set), name)
  if not rank and score == '' then return {} end
  start = rank and rank + 1 or redis.call('ZCOUNT', key(set), '(' .. score, '+inf')
end
return redis.call('ZREVRANGE', key(set), start, start + limit - 1)
