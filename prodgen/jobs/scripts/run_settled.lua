-- run_settled(run, state): the store knows that the run is in this state.
local run = find_run(ARGV[2])
if not run or run.state == ARGV[3] then redis.call('SREM', key('runs', 'stopped'), ARGV[2]) end
return 1
