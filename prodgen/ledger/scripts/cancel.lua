-- cancel(job): returns the state afterwards, or false for an unknown job. A finishing job stays as it is: its
-- end may be in the store already.
local job = find(ARGV[2])
if not job then return false end
if unfinished(job) then
  job.state = 'cancelled'
  owe(job, -job.owed)
  redis.call('DEL', key('job', job.id, 'taken'), key('job', job.id, 'suspects'), key('job', job.id, 'strikes'))
  redis.call('SADD', key('finishing'), job.id)
  announce(job, 'state')
end
return job.state
