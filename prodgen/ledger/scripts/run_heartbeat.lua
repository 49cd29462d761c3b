-- run_heartbeat(node, address, devices, microseconds): the node is alive for so long. Returns its assignment.
local _, node, address, devices, microseconds = unpack(ARGV)
redis.call('ZREMRANGEBYSCORE', key('nodes'), '-inf', now() - 10 * microseconds)
redis.call('ZADD', key('nodes'), now() + microseconds, node)
redis.call('HSET', key('node', node), 'address', address, 'devices', devices)
redis.call('PEXPIRE', key('node', node), math.ceil(microseconds / 100))
return assignment_of(node)
