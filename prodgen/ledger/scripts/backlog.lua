-- backlog(queue): images owed and not leased, leases, microseconds since the oldest job that waits was created.
local owed, leases = unpack(redis.call('HMGET', key('queue', ARGV[2]), 'owed', 'leases'))
local oldest = redis.call('ZRANGE', key('waiting', ARGV[2]), 0, 0, 'WITHSCORES')[2]
local age = oldest and math.max(0, now() - tonumber(oldest) * 1000000) or 0
return {tonumber(owed or 0), tonumber(leases or 0), age}
