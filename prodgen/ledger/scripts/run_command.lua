-- run_command(run, command): pause, cancel or resume. Returns the state and the command that is not done yet.
local _, id, command = unpack(ARGV)
local run = find_run(id)
if not run then return false end
if run.state == 'running' then
  local was = run.wish or ''
  if command == 'resume' and was == 'pause' then run.wish = '' end
  if command == 'cancel' or (command == 'pause' and was ~= 'cancel') then run.wish = command end
  if (run.wish or '') ~= was then announce_run(run, 'state') end
elseif run.state == 'queued' and command ~= 'resume' then
  redis.call('ZREM', key('runs', 'queued'), id)
  stop_run(run, command == 'pause' and 'paused' or 'cancelled', '')
elseif run.state == 'paused' and command == 'cancel' then
  stop_run(run, 'cancelled', '')
elseif run.state == 'paused' and command == 'resume' then
  queue_run(run)
  announce_run(run, 'state')
end
return {run.state, run.wish or ''}
