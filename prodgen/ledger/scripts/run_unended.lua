-- run_unended(tenant): the tenant's runs that have not ended for good, newest first. The first call of a tenant
-- also enters the runs that an older version has queued, which are not in `runs:open`.
local _, tenant = unpack(ARGV)
local open = key('runs', 'open', tenant)
if redis.call('SADD', key('runs', 'indexed'), tenant) == 1 then
  for _, id in ipairs(redis.call('ZRANGE', key('runs', 'of', tenant), 0, -1)) do
    local state, created = unpack(redis.call('HMGET', key('run', id), 'state', 'created'))
    if state and not ended(state) then redis.call('ZADD', open, created, id) end
  end
end
return redis.call('ZREVRANGE', open, 0, -1)
