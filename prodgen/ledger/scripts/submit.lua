-- submit(job, tenant, queue, total, weight, created, lease_cells): enters a job. Returns 0 if it is known.
local _, id, tenant, queue, total, weight, created, lease_cells = unpack(ARGV)
if redis.call('EXISTS', key('job', id)) == 1 then return 0 end
redis.call('HSET', key('job', id), 'tenant', tenant, 'queue', queue, 'total', total, 'weight', weight,
  'created', created, 'lease_cells', lease_cells, 'state', 'queued', 'done', 0, 'dead', 0, 'owed', 0)
redis.call('ZADD', key('jobs', tenant), created, id)

local job = find(id)
local last = math.ceil(job.total / CELL) - 1
redis.call('SETBIT', key('job', id, 'taken'), last, 0)
redis.call('SETBIT', key('job', id, 'made'), last, 0)
owe(job, job.total)
announce(job, 'state')
return 1
