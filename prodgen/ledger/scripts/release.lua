-- release(token): returns a lease without blame. A suspect stays a suspect.
local lease, job = take_back(ARGV[2])
if not job then return 0 end
if lease.alone == 1 then
  suspect(job, lease.first, lease.cells)
else
  mark(key('job', job.id, 'taken'), lease.first, lease.cells, 0)
end
owe(job, images(job, lease.first, lease.cells))
return 1
