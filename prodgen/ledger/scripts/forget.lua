-- forget(job): removes a job whose end is in the store, and whose order is deleted. Returns 0 for an unknown job.
local job = find(ARGV[2])
if not job then return 0 end
owe(job, -job.owed)
for _, part in ipairs({'taken', 'made', 'suspects', 'strikes', 'won', 'dead', 'events'}) do
  redis.call('DEL', key('job', job.id, part))
end
redis.call('DEL', key('job', job.id))
redis.call('SREM', key('finishing'), job.id)
redis.call('SREM', key('jobs', 'open', job.tenant), job.id)
redis.call('ZREM', key('jobs', job.tenant), job.id)
redis.call('HDEL', key('line', job.queue, job.tenant) .. '/spent', job.id)
return 1
