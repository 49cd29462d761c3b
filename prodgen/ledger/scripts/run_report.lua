-- run_report(run, token, node, outcome, step, message): a member's work has ended. Returns 0 for an old token.
-- `crashed`: the attempt broke off. `released`: the node gives the run back without blame. `detached`: a member
-- has stopped and its host reports the rest. All else is the run's new state, reported by its host.
local _, id, token, node, outcome, step, message = unpack(ARGV)
local run = find_run(id)
if not run or run.token ~= token then return 0 end
if outcome == 'detached' then
  redis.call('HDEL', key('run', id, 'members'), node)
  redis.call('HDEL', key('node', node), 'run')
elseif outcome == 'crashed' then
  retry(run, message)
else
  end_attempt(run)
  if tonumber(step) > 0 then run.step = tonumber(step) end
  if outcome == 'released' or outcome == 'paused' then  -- a later command replaces the one the host heard
    stop_or_requeue(run)
  else
    stop_run(run, outcome, message)
  end
end
return 1
