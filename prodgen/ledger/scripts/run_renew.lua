-- run_renew(run, token, node, microseconds, step, progress): extend a member's deadline. Returns `held`, `lost`,
-- or what the run is asked to do: `pause`, `cancel`, `regroup`. The host reports the run's progress.
local _, id, token, node, microseconds, step, progress = unpack(ARGV)
local run = find_run(id)
if not run or run.token ~= token or redis.call('HEXISTS', key('run', id, 'members'), node) == 0 then
  return 'lost'
end
redis.call('HSET', key('run', id, 'members'), node, now() + microseconds)
if progress ~= '' and progress ~= redis.call('HGET', key('run', id), 'progress') then
  redis.call('HSET', key('run', id), 'progress', progress)
  run.step = tonumber(step)
  announce_run(run, 'progress', progress)
end
local wish = run.wish or ''
return wish ~= '' and wish or 'held'
