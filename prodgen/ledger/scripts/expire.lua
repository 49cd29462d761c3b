-- expire(limit): ends leases past their deadline and returns them. Only the death of a lone cell is a strike.
local expired = {}
for _, token in ipairs(redis.call('ZRANGEBYSCORE', key('leases'), '-inf', now(), 'LIMIT', 0, ARGV[2])) do
  local lease, job = take_back(token)
  if job then blame(job, lease, lease.alone == 1, 'the worker was lost while it made these images') end
  if lease then
    redis.call('HINCRBY', key('queue', lease.queue), 'lost', 1)
    expired[#expired + 1] = view_lease(token, lease.id, lease.first, lease.cells, lease.alone, lease.queue)
  else
    redis.call('ZREM', key('leases'), token)
  end
end
return expired
