-- forget(job): removes a job whose end is in the store, and whose order is deleted. Returns 0 for an unknown job.
local job = find(ARGV[2])
if not job then return 0 end
remove(job)
return 1
