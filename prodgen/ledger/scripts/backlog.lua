-- backlog(queue): returns images owed, leases held, leases lost, the age of the oldest waiting job in microseconds,
-- and the images owed by model. Jobs that an older version has entered have no model.
local owed, leases, lost = unpack(redis.call('HMGET', key('queue', ARGV[2]), 'owed', 'leases', 'lost'))
local oldest = redis.call('ZRANGE', key('waiting', ARGV[2]), 0, 0, 'WITHSCORES')[2]
local age = oldest and math.max(0, now() - tonumber(oldest) * 1000000) or 0
local models = redis.call('HGETALL', key('queue', ARGV[2], 'models'))
return {tonumber(owed or 0), tonumber(leases or 0), tonumber(lost or 0), age, models}
