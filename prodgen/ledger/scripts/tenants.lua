-- What the ledger keeps of a tenant: what its quotas count, and the jobs that lists show.

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

-- Returns the key of the set of the tenant's jobs that are not settled. The first call of a tenant also enters the jobs
-- of a ledger of an older version.
local function open_jobs(tenant)
  local open = key('jobs', 'open', tenant)
  if redis.call('SADD', key('indexed'), tenant) == 1 then
    for _, id in ipairs(redis.call('ZRANGE', key('jobs', tenant), 0, -1)) do
      local state = redis.call('HGET', key('job', id), 'state')
      local settled = state == 'succeeded' or state == 'partial' or state == 'failed' or state == 'cancelled'
      if not settled or redis.call('SISMEMBER', key('finishing'), id) == 1 then redis.call('SADD', open, id) end
    end
  end
  return open
end

-- Removes a job from the ledger. The caller has seen to it that nothing is owed of it.
local function drop(tenant, id)
  clear(id)
  redis.call('DEL', key('job', id), key('job', id, 'events'))
  redis.call('SREM', key('finishing'), id)
  redis.call('SREM', key('jobs', 'open', tenant), id)
  redis.call('ZREM', key('jobs', tenant), id)
end

-- Removes a job from the ledger and from its line.
local function remove(job)
  owe(job, -job.owed)
  redis.call('HDEL', key('line', job.queue, job.tenant) .. '/spent', job.id)
  drop(job.tenant, job.id)
end

-- Drops the oldest settled jobs of a tenant that has more jobs than are kept. Looks at the oldest hundred.
local function drop_oldest(tenant)
  local over = redis.call('ZCARD', key('jobs', tenant)) - KEPT
  if over <= 0 then return end
  local open = open_jobs(tenant)
  for _, id in ipairs(redis.call('ZRANGE', key('jobs', tenant), 0, math.min(over, 100) - 1)) do
    if redis.call('SISMEMBER', open, id) == 0 then drop(tenant, id) end
  end
end
