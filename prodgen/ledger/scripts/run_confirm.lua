-- run_reach(run, token, step): 1 if the token is still worth something; a checkpoint of `step` is about to count.
local _, id, token, step = unpack(ARGV)
local run = find_run(id)
if not run or run.token ~= token then return 0 end
redis.call('HSET', key('run', id), 'reached', step)
return 1
