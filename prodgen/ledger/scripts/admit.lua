-- admit(tenant, job, images, seconds, per_day, queued): reserves room for an order until it is entered, or for some
-- seconds if its gateway dies. A limit '' does not count. Returns {}, or the limit that refuses the order (`day` or
-- `queued`), the images that count already, and the seconds until midnight.
local _, tenant, id, images, seconds, per_day, queued = unpack(ARGV)
local reserved, flat = 0, redis.call('HGETALL', key('admitted', tenant))
for i = 1, #flat, 2 do
  local expires, amount = string.match(flat[i + 1], '(%d+):(%d+)')
  if tonumber(expires) < now() then
    redis.call('HDEL', key('admitted', tenant), flat[i])
  elseif flat[i] ~= id then
    reserved = reserved + amount
  end
end
local midnight = 86400 - math.floor(now() / 1000000) % 86400
if per_day ~= '' then
  local used = ordered_today(tenant) + reserved
  if used + images > tonumber(per_day) then return {'day', used, midnight} end
end
if queued ~= '' then
  local used = reserved
  for _, open in ipairs(redis.call('SMEMBERS', open_jobs(tenant))) do
    local total, done, dead = unpack(redis.call('HMGET', key('job', open), 'total', 'done', 'dead'))
    used = used + (total or 0) - (done or 0) - (dead or 0)
  end
  if used + images > tonumber(queued) then return {'queued', used, midnight} end
end
redis.call('HSET', key('admitted', tenant), id, string.format('%.0f:%d', now() + seconds * 1000000, images))
return {}
