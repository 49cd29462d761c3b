-- run_list(tenant, before, limit): ids of a tenant's runs, newest first, after the run `before` in that order.
local _, tenant, before, limit = unpack(ARGV)
local start = 0
if before ~= '' then
  local rank = redis.call('ZREVRANK', key('runs', 'of', tenant), before)
  if not rank then return {} end
  start = rank + 1
end
return redis.call('ZREVRANGE', key('runs', 'of', tenant), start, start + limit - 1)
