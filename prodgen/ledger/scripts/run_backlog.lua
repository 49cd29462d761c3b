-- run_backlog(): how many runs wait for nodes: queued ones, and running ones with fewer than they asked for.
local waiting = redis.call('ZCARD', key('runs', 'queued'))
for _, id in ipairs(redis.call('SMEMBERS', key('runs', 'running'))) do
  if lacks_nodes(find_run(id)) then waiting = waiting + 1 end
end
return waiting
