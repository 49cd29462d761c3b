-- run_beat(node, address, devices, microseconds): the node lives, for so long; the run that it is a member of, or
-- nothing.
local _, node, address, devices, microseconds = unpack(ARGV)
redis.call('ZREMRANGEBYSCORE', key('nodes'), '-inf', now() - 10 * microseconds)
redis.call('ZADD', key('nodes'), now() + microseconds, node)
redis.call('HSET', key('node', node), 'address', address, 'devices', devices)
redis.call('PEXPIRE', key('node', node), math.ceil(microseconds / 100))
return part_of(node)
