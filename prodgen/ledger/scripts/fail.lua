-- fail(token, message): the work raised.
local lease, job = take_back(ARGV[2])
if not job then return 0 end
blame(job, lease, lease.cells == 1, ARGV[3])
return 1
