-- release(token): returns a lease without blame. A suspect stays a suspect.
local lease, job = take_back(ARGV[2])
if not job then return 0 end
if lease.alone == 1 then
  redis.call('ZADD', key('job', job.id, 'suspects'), lease.first, lease.first)
else
  mark(key('job', job.id, 'taken'), lease.first, lease.cells, 0)
end
owe(job, images(job, lease.first, lease.cells))
return 1
