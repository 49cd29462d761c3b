-- cancel(job): the state afterwards, or nothing for an unknown job. What has ended, or is about to (every image
-- is made and its end may be in the store already), stays as it is.
local job = find(ARGV[2])
if not job then return false end
if job.state == 'queued' or job.state == 'running' then
  job.state = 'cancelled'
  owe(job, -job.owed)
  redis.call('DEL', key('job', job.id, 'taken'), key('job', job.id, 'suspects'), key('job', job.id, 'strikes'))
  redis.call('SADD', key('finishing'), job.id)
  announce(job, 'state')
end
return job.state
