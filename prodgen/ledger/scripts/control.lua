-- control(job, queue, paused): moves a job to a queue, and pauses it (1) or resumes it (0). Leases in flight still
-- count. Returns the state afterwards, or false for an unknown job. Only a queued or running job changes.
local _, id, queue, paused = unpack(ARGV)
local job = find(id)
if not job then return false end
paused = tonumber(paused)
if not unfinished(job) or (job.queue == queue and (job.paused or 0) == paused) then return seen(job) end

count_owed(job, -job.owed)
line_up(job, 0)
if job.queue ~= queue then redis.call('HDEL', key('line', job.queue, job.tenant) .. '/spent', id) end
job.queue, job.paused = queue, paused
redis.call('HSET', key('job', id), 'queue', queue, 'paused', paused)
count_owed(job, job.owed)
line_up(job, job.owed)
announce(job, 'state')
return seen(job)
