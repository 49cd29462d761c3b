-- run_close(run, state): the store holds the run's end, with this state. The store's state wins if the run has
-- stopped with another one.
local _, id, state = unpack(ARGV)
local run = find_run(id)
if run and run.state ~= state and state ~= 'paused' and run.state ~= 'running' and run.state ~= 'queued' then
  run.state = state
  announce_run(run, 'state')
end
if run and run.state ~= state then return 0 end
redis.call('SREM', key('runs', 'stopped'), id)
if run and ended(state) then
  redis.call('EXPIRE', key('run', id, 'events'), 600)
  drop_oldest_runs(run.tenant)
end
return 1
