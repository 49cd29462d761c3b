-- run_end(run, token, node, outcome, step, message): a member's part has ended. `broke`: it broke off; `back`: it
-- was handed back without blame; `left`: all stopped together, as the host will tell; else the run's new state, by its host.
local _, id, token, node, outcome, step, message = unpack(ARGV)
local run = find_run(id)
if not run or run.token ~= token then return 0 end
if outcome == 'left' then
  redis.call('HDEL', key('run', id, 'members'), node)
  redis.call('HDEL', key('node', node), 'run')
elseif outcome == 'broke' then
  retry(run, message)
else
  disband(run)
  if tonumber(step) > 0 then run.step = tonumber(step) end
  if outcome == 'back' or outcome == 'paused' then  -- what is wished now counts, not what the host heard
    go_on_or_stop(run)
  else
    stop_run(run, outcome, message)
  end
end
return 1
