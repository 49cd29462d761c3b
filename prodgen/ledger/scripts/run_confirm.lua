-- run_confirm(run, token, step): 1 if the attempt still counts. Its checkpoint of `step` becomes the newest.
local _, id, token, step = unpack(ARGV)
local run = find_run(id)
if not run or run.token ~= token then return 0 end
redis.call('HSET', key('run', id), 'reached', step)
return 1
