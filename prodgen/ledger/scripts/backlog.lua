-- backlog(queue): returns images owed, leases held, and the age of the oldest waiting job in microseconds.
local owed, leases = unpack(redis.call('HMGET', key('queue', ARGV[2]), 'owed', 'leases'))
local oldest = redis.call('ZRANGE', key('waiting', ARGV[2]), 0, 0, 'WITHSCORES')[2]
local age = oldest and math.max(0, now() - tonumber(oldest) * 1000000) or 0
return {tonumber(owed or 0), tonumber(leases or 0), age}
