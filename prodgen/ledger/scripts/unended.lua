-- unended(tenant): the tenant's jobs that are not settled. The first call of a tenant also enters the jobs of a
-- ledger of an older version, which are not in `jobs:open`.
local _, tenant = unpack(ARGV)
local open = key('jobs', 'open', tenant)
if redis.call('SADD', key('jobs', 'indexed'), tenant) == 1 then
  for _, id in ipairs(redis.call('ZRANGE', key('jobs', tenant), 0, -1)) do
    local state = redis.call('HGET', key('job', id), 'state')
    local settled = state == 'succeeded' or state == 'partial' or state == 'failed' or state == 'cancelled'
    if not settled or redis.call('SISMEMBER', key('finishing'), id) == 1 then redis.call('SADD', open, id) end
  end
end
return redis.call('SMEMBERS', open)
