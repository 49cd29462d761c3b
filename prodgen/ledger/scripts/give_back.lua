-- give_back(job, cell...): owes counted cells again whose images are not in the store.
local job = find(ARGV[2])
if not job or job.state ~= 'finishing' then return 0 end
local missing = 0
for i = 3, #ARGV do
  if redis.call('SETBIT', key('job', job.id, 'made'), ARGV[i], 0) == 1 then
    redis.call('SETBIT', key('job', job.id, 'taken'), ARGV[i], 0)
    missing = missing + images(job, tonumber(ARGV[i]), 1)
  end
end
if missing == 0 then return 0 end
redis.call('SREM', key('finishing'), job.id)
job.state, job.done = 'running', job.done - missing
owe(job, missing)
announce(job, 'state')
return 1
