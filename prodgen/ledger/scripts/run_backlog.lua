-- run_wanting(): how many runs want nodes: those that are queued, and those that work with fewer than they would like.
local wanting = redis.call('ZCARD', key('runs', 'queued'))
for _, id in ipairs(redis.call('SMEMBERS', key('runs', 'running'))) do
  if is_short(find_run(id)) then wanting = wanting + 1 end
end
return wanting
