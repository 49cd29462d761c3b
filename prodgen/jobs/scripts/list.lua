-- list(tenant, before, limit): ids of a tenant's jobs, newest first, after the job `before` in that order.
local _, tenant, before, limit = unpack(ARGV)
local start = 0
if before ~= '' then
  local rank = redis.call('ZREVRANK', key('jobs', tenant), before)
  if not rank then return {} end
  start = rank + 1
end
return redis.call('ZREVRANGE', key('jobs', tenant), start, start + limit - 1)
