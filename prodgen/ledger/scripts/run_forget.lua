-- run_forget(run): removes a run whose end is in the store, and which is deleted. Returns 0 for an unknown run.
local run = find_run(ARGV[2])
if not run or not ended(run.state) then return 0 end
drop_run(run.tenant, run.id)
return 1
