-- fail(token, message): the images of a lease could not be made.
local lease, job = take_back(ARGV[2])
if not job then return 0 end
blame(job, lease, true, ARGV[3])
return 1
