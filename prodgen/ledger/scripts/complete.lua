-- complete(token): counts the cells of a lease. Returns 1 if they count, by this call or an earlier one.
local token = ARGV[2]
if redis.call('EXISTS', key('counted', token)) == 1 then return 1 end
local lease, job = take_back(token)
if not job then return 0 end

mark(key('job', job.id, 'made'), lease.first, lease.cells, 1)
if lease.alone == 1 and lease.cells == 1 then redis.call('HDEL', key('job', job.id, 'strikes'), lease.first) end
redis.call('HSET', key('job', job.id, 'won'), lease.first, token)
redis.call('SET', key('counted', token), job.id, 'EX', 300)
job.done = job.done + images(job, lease.first, lease.cells)
announce(job, 'progress')
conclude(job)
return 1
