-- What the quotas of a tenant count.

-- Returns the day, since 1970 in UTC, of a time in seconds.
local function day_of(seconds)
  return math.floor(seconds / 86400)
end

-- Returns how many images the tenant has ordered today. Images of orders that were cancelled or deleted count.
local function ordered_today(tenant)
  local day, images = unpack(redis.call('HMGET', key('ordered', tenant), 'day', 'images'))
  return day and tonumber(day) == day_of(now() / 1000000) and tonumber(images) or 0
end

-- Counts an order, if it was placed today, and gives its reservation back.
local function count_order(tenant, id, total, created)
  redis.call('HDEL', key('admitted', tenant), id)
  local today = day_of(now() / 1000000)
  if day_of(created) ~= today then return end
  redis.call('HSET', key('ordered', tenant), 'images', ordered_today(tenant) + total, 'day', today)
  redis.call('EXPIRE', key('ordered', tenant), 86400)
end

-- Returns the tenant's jobs that are not settled. The first call of a tenant also enters the jobs of a ledger of an
-- older version, which are not in `jobs:open`.
local function unended_jobs(tenant)
  local open = key('jobs', 'open', tenant)
  if redis.call('SADD', key('jobs', 'indexed'), tenant) == 1 then
    for _, id in ipairs(redis.call('ZRANGE', key('jobs', tenant), 0, -1)) do
      local state = redis.call('HGET', key('job', id), 'state')
      local settled = state == 'succeeded' or state == 'partial' or state == 'failed' or state == 'cancelled'
      if not settled or redis.call('SISMEMBER', key('finishing'), id) == 1 then redis.call('SADD', open, id) end
    end
  end
  return redis.call('SMEMBERS', open)
end
