-- refuse(token, message): the worker lacks what a job needs. It returns the lease and leases this job no more. Once all
-- living workers have refused the job, the images count as failed.
local worker = redis.call('HGET', key('lease', ARGV[2]), 'worker')
local lease, job = take_back(ARGV[2])
if not job then return 0 end
local refused = key('job', job.id, 'refused')
redis.call('SADD', refused, worker)
if redis.call('GET', key('reserved', worker)) == job.id then redis.call('DEL', key('reserved', worker)) end
for _, other in ipairs(redis.call('ZRANGEBYSCORE', key('workers'), now(), '+inf')) do
  if redis.call('SISMEMBER', refused, other) == 0 then
    return_cells(job, lease)
    return 1
  end
end
redis.call('DEL', refused)
blame(job, lease, true, ARGV[3])
return 1
